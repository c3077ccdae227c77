"""The arrows between the folders hold: in the includes of every file, and in
what Bazel links (`bazel query deps(...)` of each module, given as files).

layering_check.py [MODULE=DEPS_FILE...]
"""
import re
import sys

import layers
import tree

_INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)

# What may never be in the closure of a module's library, by its label.
LINKS_NOT = {
    "base": r"//(engine|raft|wal|snapshot|server|rpc|cmd|bench|tests)\b",
    "engine": r"//(raft|wal|snapshot|server|rpc|cmd|bench|tests)\b",
    # Of base the values alone, of the system's libraries none: nothing that
    # could do I/O, read a clock, start a thread or make chance.
    "raft": r"//(engine|wal|snapshot|server|rpc|cmd|bench|tests)\b|"
            r"//base:(core|base|.*(env|loop|timer|logger|seed).*)$|"
            r"//third_party/system:",
    "wal": r"//(engine|snapshot|server|rpc|cmd|bench|tests)\b",
    "snapshot": r"//(engine|wal|server|rpc|cmd|bench|tests)\b",
    "server": r"//(rpc(?!/proto:)|cmd|bench|tests)\b",
    "strata": r"//(rpc(?!/proto:)|cmd|bench|tests)\b",
}
# The four modules and base know neither of these libraries; what is above them
# and below rpc/ knows the messages.
NO_GRPC = r"//third_party/system:(grpc|absl)"
NO_PROTOBUF = r"//third_party/system:protobuf"
KNOW_MESSAGES = ("server", "strata")


def folder_of(path):
    return path.split("/")[0] if "/" in path else layers.ROOT


def library_problem(name, included):
    """Why `name` may not include this header of others, or None."""
    folder = folder_of(name)
    for prefix, folders in layers.LIBRARIES.items():
        if included.startswith(prefix) and folder not in folders and \
                not name.endswith(layers.TEST_CODE):
            return f"<{included}> is for {', '.join(folders) or 'tests'} only"
    # A test is a program: it may print what it found.
    if folder in layers.PURE and included in layers.IMPURE_SYSTEM and \
            not name.endswith("_test.cc"):
        return f"{folder}/ does no I/O and knows no clock: not <{included}>"
    return None


def include_problem(name, quoted, angled):
    """Why `name` may not include this, or None. One of the two is None."""
    folder = folder_of(name)
    if folder in layers.SEE_ALL:
        return None
    if angled or quoted.startswith(tuple(layers.LIBRARIES)):
        return library_problem(name, angled or quoted)
    if folder not in layers.MAY_INCLUDE:
        return f"{folder}/ is not in tests/checks/layers.py"
    allowed = list(layers.MAY_INCLUDE[folder])
    allowed.append(folder + "/" if folder else "strata.h")
    if not quoted.startswith(tuple(allowed)) or \
            (folder != "rpc" and quoted.endswith(layers.SERVICES)):
        return f"{folder}/ may include {' '.join(allowed)}, not {quoted}"
    if folder in layers.PURE and quoted in layers.IMPURE_BASE:
        return f"{folder}/ does no I/O and knows no clock: not {quoted}"
    return None


def include_problems(top):
    found = []
    for name in tree.cplusplus(top):
        text = tree.read(top, name)
        for match in _INCLUDE.finditer(text):
            why = include_problem(name, *match.groups())
            if why:
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{name}:{line}: {why}")
    return found


def link_problems(module, labels):
    """`labels` is what `bazel query deps(...)` printed for the module."""
    if not labels:
        return [f"{module}: the query gave nothing"]
    banned = LINKS_NOT[module] + "|" + NO_GRPC
    if module not in KNOW_MESSAGES:
        banned += "|" + NO_PROTOBUF
    return [f"{module}: its libraries depend on {label}"
            for label in labels if re.match(banned, label)]


def main():
    top = tree.root()
    found = include_problems(top)
    for argument in sys.argv[1:]:
        module, path = argument.split("=", 1)
        with open(path, encoding="utf-8") as lines:
            found += link_problems(module, lines.read().split())
    tree.finish(found, len(tree.cplusplus(top)))


if __name__ == "__main__":
    main()
