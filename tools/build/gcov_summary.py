"""Sums up `gcov --json-format --stdout` from its standard input.

For each source file of ours that is not a test: the lines of code, the share
of them that ran, and the lines that never did. A line ran if it ran in any
of the object files it was compiled into.
"""
import collections
import json
import sys

FOLDERS = ("base/", "engine/", "raft/", "wal/", "snapshot/", "server/", "rpc/",
           "cmd/", "strata.")


def is_product(name):
    return name.startswith(FOLDERS) and not name.endswith(
        ("_test.cc", "_suite.cc", "_suite.h", ".pb.h", ".pb.cc"))


def counts_by_file(lines):
    """A dict from file to a dict from line number to how often it ran."""
    files = collections.defaultdict(collections.Counter)
    for line in lines:
        if not line.startswith("{"):
            continue
        for file in json.loads(line)["files"]:
            name = file["file"].removeprefix("/proc/self/cwd/").removeprefix("./")
            if is_product(name):
                for entry in file["lines"]:
                    files[name][entry["line_number"]] += entry["count"]
    return files


def ranges(numbers):
    """[1, 2, 3, 7] as "1-3 7"."""
    runs = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(f"{first}-{last}" if first != last else str(first)
                    for first, last in runs)


def row(name, total, ran, missing=""):
    return f"{ran / total:7.1%} {total:6}  {name}  {missing}".rstrip()


def summary(files):
    rows = ["   ran  lines  file  (lines that never ran)"]
    total_lines = total_ran = 0
    for name, counts in sorted(files.items()):
        missing = [number for number, count in counts.items() if not count]
        ran = len(counts) - len(missing)
        total_lines += len(counts)
        total_ran += ran
        rows.append(row(name, len(counts), ran, ranges(missing)))
    rows.append(row("all", total_lines, total_ran))
    return rows


def main():
    files = counts_by_file(sys.stdin)
    if not files:
        sys.exit("no coverage data: did a test run?")
    print("\n".join(summary(files)))


if __name__ == "__main__":
    main()
