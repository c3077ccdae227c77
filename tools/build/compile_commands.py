"""Writes compile_commands.json, for clangd and other editors.

compile_commands.py [FLAG...], such as --config=clang. Build first (make build),
so that generated headers are there. $BAZEL is the program to call.
"""
import json
import os
import pathlib
import shlex
import subprocess
import sys

WORKSPACE = pathlib.Path(__file__).resolve().parents[2]
# Options of gcc that clang does not know.
UNKNOWN = {"-fno-canonical-system-headers", "-Wunused-but-set-parameter",
           "-Wno-free-nonheap-object"}


def bazel(*arguments):
    command = shlex.split(os.environ.get("BAZEL", "/usr/bin/bazel"))
    return subprocess.run([*command, *arguments], cwd=WORKSPACE, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True).stdout


def entry(root, arguments):
    """An entry of the database, or None for what is not ours."""
    kept = [argument for argument in arguments
            if argument not in UNKNOWN and not argument.startswith("-D__")]
    source = kept[kept.index("-c") + 1]
    if source.startswith("external/"):
        return None
    generated = source.startswith("bazel-out/")
    return {"directory": root, "arguments": kept,
            "file": source if generated else str(WORKSPACE / source)}


def main():
    flags = sys.argv[1:]
    actions = json.loads(bazel("aquery", *flags, "--output=jsonproto",
                               'mnemonic("CppCompile", //...)'))["actions"]
    root = bazel("info", *flags, "execution_root").strip()
    entries = [entry(root, action["arguments"]) for action in actions]
    # A file that is compiled twice is listed once.
    database = list({item["file"]: item for item in entries if item}.values())
    text = json.dumps(database, indent=1) + "\n"
    (WORKSPACE / "compile_commands.json").write_text(text, encoding="utf-8")
    print(f"compile_commands.json: {len(database)} files")


if __name__ == "__main__":
    main()
