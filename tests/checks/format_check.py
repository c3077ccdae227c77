"""Every file is formatted: clang-format for C++, tidy line ends for all text.

`make format` mends C++.
"""
import subprocess

import tree


def cplusplus_problems(top, names):
    if not names:
        return []
    run = subprocess.run(
        ["clang-format", "--dry-run", "-ferror-limit=1", *names],
        cwd=top, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    if run.returncode != 0:
        return [f"clang-format failed: {run.stdout}"]
    return [line for line in run.stdout.splitlines()
            if "[-Wclang-format-violations]" in line]


def text_problems(top, name):
    """Trailing blanks, carriage returns, tabs outside of make, a last line
    without an end, blank lines at the end."""
    try:
        lines = tree.read(top, name).split("\n")
    except UnicodeDecodeError:
        return [f"{name}: is not UTF-8 text (data belongs in testdata/)"]
    if lines == [""]:
        return []
    problems = [f"{name}:{number}: blanks or a return at the end of the line"
                for number, line in enumerate(lines, 1) if line != line.rstrip()]
    if lines[-1]:
        problems.append(f"{name}: the last line has no end")
    elif not lines[-2].strip():
        problems.append(f"{name}: ends with blank lines")
    if not name.endswith("Makefile"):
        problems += [f"{name}:{number}: a tab"
                     for number, line in enumerate(lines, 1) if "\t" in line]
    return problems


def problems(top):
    found = cplusplus_problems(top, tree.cplusplus(top))
    for name in tree.files(top):
        found += text_problems(top, name)
    return found


if __name__ == "__main__":
    ROOT = tree.root()
    tree.finish(problems(ROOT), len(tree.files(ROOT)))
