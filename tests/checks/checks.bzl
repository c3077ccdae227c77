"""Checks of the source tree itself, as tests."""

load("//tools/build:python_test.bzl", "python_test")

def tree_check(name, src, args = [], data = [], **kwargs):
    """A test by a script that reads the source tree, wherever its files lie.

    It is run outside the sandbox, and every time, for Bazel cannot know which
    files it reads.
    """
    python_test(
        name = name,
        src = src,
        args = args,
        data = ["tree.py"] + data,
        size = "small",
        tags = ["external", "local"],
        **kwargs
    )

def layering_test(name, modules):
    """Checks includes, and what Bazel links into each module.

    Args:
      name: of the test.
      modules: a dict from each module to its libraries.
    """
    for module, libraries in modules.items():
        native.genquery(
            name = module + "_deps",
            expression = "deps({})".format(" + ".join(libraries)),
            scope = libraries,
            testonly = True,
        )
    tree_check(
        name = name,
        src = "layering_check.py",
        args = ["{0}=$(location :{0}_deps)".format(module) for module in modules],
        data = ["layers.py"] + [":{}_deps".format(module) for module in modules],
    )
