"""The files of the repository, and how a check reports what it found."""
import os
import pathlib
import re
import subprocess
import sys

# Kept as others wrote it, or made by a program.
FOREIGN = re.compile(r"(^|/)testdata/|^LICENSE$|^third_party/uplot/(?!BUILD)")


def root():
    """The source tree: where the link to this file in the runfiles leads."""
    return pathlib.Path(__file__).resolve().parents[2]


def files(top):
    """Paths, relative to `top`, of all files of ours: git's, or all we see."""
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={top}", "ls-files", "-z", "--cached",
         "--others", "--exclude-standard"],
        cwd=top, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if listing.returncode == 0 and (top / ".git").exists():
        names = listing.stdout.decode().split("\0")
    else:
        names = list(walk(top))
    return sorted(name for name in names
                  if name and not FOREIGN.search(name) and
                  (top / name).is_file() and not (top / name).is_symlink())


def walk(top):
    """All files below `top`, but not what Bazel, git and `make run` leave."""
    for folder, folders, names in os.walk(top):
        here = os.path.relpath(folder, top)
        folders[:] = [name for name in folders
                      if name not in (".git", ".cache", "__pycache__") and
                      not (here == "." and
                           (name == "data" or name.startswith("bazel-")))]
        for name in names:
            yield os.path.normpath(os.path.join(here, name))


def cplusplus(top):
    return [name for name in files(top) if name.endswith((".cc", ".h"))]


def read(top, name):
    return (top / name).read_text(encoding="utf-8")


def is_test(name):
    return name.startswith("tests/") or name.endswith("_test.cc")


def finish(problems, looked_at):
    """Prints what was found and ends the program; to see nothing is a fault."""
    for problem in problems:
        print(problem)
    if not looked_at:
        print("no file to check was found")
    print(f"{looked_at} checked, {len(problems)} problems")
    sys.exit(0 if looked_at and not problems else 1)
