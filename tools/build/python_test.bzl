"""A test by a Python 3 script, with no need of a `python` on the path (as py_test has)."""

def python_test(name, src, args = [], data = [], **kwargs):
    native.sh_test(
        name = name,
        srcs = ["//tools/build:run_python.sh"],
        args = ["$(location {})".format(src)] + args,
        data = [src] + data,
        **kwargs
    )
