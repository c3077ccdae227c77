"""Writes compile_commands.json, for clangd and clang-tidy, from `bazel aquery`.

Build first (bazel build //...), so that generated headers are there.
"""
import json
import pathlib
import subprocess
import sys

workspace = pathlib.Path(__file__).resolve().parents[2]
flags = sys.argv[1:]  # such as --config=clang


def bazel(*arguments):
    return subprocess.run(["bazel", *arguments], cwd=workspace, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


actions = json.loads(bazel("aquery", *flags, "--output=jsonproto", 'mnemonic("CppCompile", //...)'))["actions"]
root = bazel("info", *flags, "execution_root").strip()
drop = {"-fno-canonical-system-headers", "-Wunused-but-set-parameter", "-Wno-free-nonheap-object"}
entries = {}
for action in actions:
    arguments = [argument for argument in action["arguments"]
                 if argument not in drop and not argument.startswith("-D__")]
    source = arguments[arguments.index("-c") + 1]
    if source.startswith("external/"):
        continue
    entries[source] = {"directory": root, "file": source if source.startswith("bazel-out/") else str(workspace / source),
                       "arguments": arguments}
(workspace / "compile_commands.json").write_text(json.dumps(list(entries.values()), indent=1) + "\n")
print(len(entries), "files")
