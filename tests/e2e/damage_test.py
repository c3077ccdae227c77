"""A data directory that was damaged: stratad says which file and where, exits
with 1, and leaves every file as it was.

Usage: damage_test.py STRATAD
"""
import json
import pathlib
import random
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))
import log_frames
import server

PAGE = 4096
KEYS = 60
WAL_FLIPS = 40
SEED = 20240601


def flip(data, offset, bit=0):
    changed = bytearray(data)
    changed[offset] ^= 1 << bit
    return bytes(changed)


def database_faults(data):
    """(name, new content, whether an offset is to be named) of member/snap/db."""
    yield "empty", b"", False
    yield "cut in half", data[: len(data) // 2 // PAGE * PAGE], True
    yield "cut inside a page", data[: 2 * PAGE + 100], True
    yield "another program's", b"SQLite format 3\0" * (len(data) // 16), True
    both = data
    for meta in (0, 1):
        both = flip(both, meta * PAGE + 16)
    yield "both metas", both, True
    for page in used_pages(data):
        yield f"id of page {page}", flip(data, page * PAGE, 3), True
        yield f"flags of page {page}", flip(data, page * PAGE + 8, 5), True


def used_pages(data):
    """Those that the tree is made of: branches and leaves that are where their
    header says, reached from the newer meta's root."""
    metas = [data[n * PAGE + 16 : n * PAGE + 80] for n in (0, 1)]
    newest = max(metas, key=lambda meta: int.from_bytes(meta[48:56], "little"))
    pages, queue = [], [int.from_bytes(newest[16:24], "little")]
    while queue:
        page = queue.pop()
        pages.append(page)
        start = page * PAGE
        flags, count = (int.from_bytes(data[start + at : start + at + 2], "little") for at in (8, 10))
        for element in range(start + 16, start + 16 + 16 * count, 16):
            if flags == 1:  # a branch
                queue.append(int.from_bytes(data[element + 8 : element + 16], "little"))
            elif int.from_bytes(data[element : element + 4], "little") == 1:  # a bucket
                position, key = (int.from_bytes(data[element + at : element + at + 4], "little") for at in (4, 8))
                value = element + position + key
                root = int.from_bytes(data[value : value + 8], "little")
                if root:
                    queue.append(root)
    return sorted(pages)


def log_faults(data, chance):
    """The same of the log's only segment."""
    frames = list(log_frames.frames(data))
    # The backend has every entry, so that none of them may be missing. What
    # follows the last is a record of the state, which may.
    end = frames[-2][1]
    yield "empty", b"", False
    yield "cut in half", data[: end // 2], True
    yield "another program's", b"#!/bin/sh\n" * 1000, True
    yield "zeros", bytes(len(data)), True
    for offset in sorted(chance.sample(log_frames.summed(data, end), WAL_FLIPS)):
        yield f"bit at {offset}", flip(data, offset, chance.randrange(8)), True


def content(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def try_start(stratad, data_dir):
    """Starts it on a damaged directory; (exit code, what it printed)."""
    member = server.Server(stratad, data_dir=data_dir)
    try:
        member.launch()
        try:
            code = member.process.wait(10)
        except subprocess.TimeoutExpired:
            code = "none: it serves"
        return code, member.log()
    finally:
        member.close()


def check(stratad, data_dir, path, damaged, needs_offset):
    """Why the start was not as it should be; empty if it was."""
    target = data_dir / path
    good = target.read_bytes()
    target.write_bytes(damaged)
    before = content(data_dir)
    code, printed = try_start(stratad, data_dir)
    after = content(data_dir)
    target.write_bytes(good)
    if code != 1:
        return f"exit code {code}\n{printed}"
    errors = [line for line in printed.splitlines() if '"level":"error"' in line or '"level":"fatal"' in line]
    text = " ".join(json.dumps(json.loads(line)) for line in errors)
    if target.name not in text:
        return f"the file is not named\n{printed}"
    if needs_offset and "offset" not in text:
        return f"no offset is named\n{printed}"
    return "" if after == before else "a file was changed"


def make_directory(stratad, data_dir):
    """A directory with a tree of some pages and a log, stopped cleanly."""
    with server.Server(stratad, data_dir=data_dir) as member:
        for number in range(KEYS):
            member.must("put", f"key{number:03}", "x" * 400)
        member.stop()


def main(stratad):
    scratch = server.scratch("strata-damage-")
    data_dir = scratch / "data"
    make_directory(stratad, data_dir)
    database = pathlib.Path("member/snap/db")
    segment = next((data_dir / "member/wal").glob("0*.wal")).relative_to(data_dir)
    cases = [(database, *fault) for fault in database_faults((data_dir / database).read_bytes())]
    cases += [(segment, *fault) for fault in log_faults((data_dir / segment).read_bytes(), random.Random(SEED))]
    failures = []
    for path, name, damaged, needs_offset in cases:
        why = check(stratad, data_dir, path, damaged, needs_offset)
        if why:
            failures.append(f"{path}, {name}: {why}")
    # The checker must be able to fail: an undamaged directory is no damage.
    if not check(stratad, data_dir, database, (data_dir / database).read_bytes(), True):
        failures.append("an undamaged directory was taken for a damaged one")
    shutil.rmtree(scratch)
    for failure in failures:
        print(failure)
    print(f"{len(cases) + 1 - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
