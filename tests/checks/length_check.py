"""Functions stay under 70 lines and files under 800.

What is longer stands in long.txt with its length, and that list only shrinks:
an entry fails as soon as it is not needed or allows more than there is.
"""
import tree
import source

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
CODE = (".cc", ".h", ".py", ".sh", ".bzl", ".bazel", ".proto")


def long_ones(top):
    """A dict from "file" or "file function" to the lines over the limit."""
    found = {}
    for name in tree.files(top):
        if not name.endswith(CODE):
            continue
        text = tree.read(top, name)
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            found[name] = lines
        if name.endswith((".cc", ".h")):
            for function, _, lines in source.functions(text):
                if lines > FUNCTION_LINES_MAX:
                    key = f"{name} {function}"
                    found[key] = max(lines, found.get(key, 0))
    return found


def allowed_ones(text):
    """long.txt: `LINES FILE [FUNCTION]` on each line."""
    allowed = {}
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if line:
            lines, key = line.split(None, 1)
            allowed[key] = int(lines)
    return allowed


def problems(top, allowed):
    found = long_ones(top)
    result = []
    for key, lines in sorted(found.items()):
        limit = allowed.get(key)
        if limit is None:
            most = FUNCTION_LINES_MAX if " " in key else FILE_LINES_MAX
            result.append(f"{key}: {lines} lines, at most {most}: divide it")
        elif lines > limit:
            result.append(f"{key}: grew from {limit} to {lines} lines")
        elif lines < limit:
            result.append(f"{key}: now {lines} lines: lower it in long.txt")
    for key in sorted(set(allowed) - set(found)):
        result.append(f"{key}: no longer too long: take it out of long.txt")
    return result


if __name__ == "__main__":
    ROOT = tree.root()
    LIST = tree.read(ROOT, "tests/checks/long.txt")
    tree.finish(problems(ROOT, allowed_ones(LIST)), len(tree.cplusplus(ROOT)))
