"""Checks of the source tree itself, as tests."""

load("//tools/build:python_test.bzl", "python_test")

def tree_check(name, src, data = [], **kwargs):
    """A test by a script that reads the source tree, wherever its files lie.

    It is run outside the sandbox, and every time, for Bazel cannot know which
    files it reads.
    """
    python_test(
        name = name,
        src = src,
        data = ["tree.py"] + data,
        size = "small",
        tags = ["external", "local"],
        **kwargs
    )
