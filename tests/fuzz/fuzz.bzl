"""A fuzz target: a test of a few seconds, and a long run by its own name."""

def fuzz_target(name, deps, runs, size = "small"):
    """Makes `name` (so many random inputs) and `name`_long (ten minutes, manual).

    With --config=fuzz both are libFuzzer's; else inputs are random ones.

    Args:
      name: also of the source, name.cc
      deps: libraries
      runs: inputs of the short test
      size: of the short test
    """
    common = {
        "srcs": [name + ".cc"],
        "linkopts": select({
            "//tests/fuzz:libfuzzer": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        "deps": deps + ["//tests/fuzz:input"] + select({
            "//tests/fuzz:libfuzzer": [],
            "//conditions:default": ["//tests/fuzz:driver"],
        }),
    }
    native.cc_test(
        name = name,
        size = size,
        args = ["-runs=%d" % runs, "-seed=1"],
        **common
    )
    native.cc_test(
        name = name + "_long",
        size = "enormous",
        args = ["-runs=1000000000", "-max_total_time=600"],
        tags = ["manual"],
        **common
    )
