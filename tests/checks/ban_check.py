"""Calls that only base/ may make, or that nobody may, and what to call instead.

Nothing outside base/ opens a file, reads a clock, sleeps, starts a thread or
draws a number that a seed does not decide: so a whole node can run in one
thread of a simulator. Mains (cmd/, bench/) and tests (tests/, X_test.cc) stand
outside of that rule, but for what no program should do.
"""
import re

import source
import tree

MAINS = ("base/", "cmd/", "bench/", "tests/", "docs/")


class Ban:
    """A pattern of code, where it is let pass, and what to use instead."""

    def __init__(self, pattern, allowed, instead):
        self.pattern = re.compile(pattern)
        self.allowed = allowed
        self.instead = instead

    def covers(self, name):
        if self.allowed and name.endswith("_test.cc"):
            return False
        return not name.startswith(self.allowed)


def call(names):
    """A call of one of the C functions `names`, not a method of that name."""
    return rf"(?<![\w.:>])(?:::|std::)?(?:{names})\s*\("


BANS = [
    Ban(call("open|openat|creat|fopen|fdopen|mkstemp|fsync|fdatasync|mmap|munmap|"
             "mremap|msync|ftruncate|fallocate|posix_fallocate|pread|pwrite|preadv|"
             "pwritev|unlink|rename|mkdir|opendir|flock"),
        MAINS, "an Env (base/env.h)"),
    Ban(r"\bstd::(filesystem\b|[io]?fstream\b|FILE\b)", MAINS,
        "an Env (base/env.h)"),
    Ban(r"\b(system|steady|high_resolution)_clock\s*::\s*now\b", MAINS,
        "Loop::Now (base/loop.h)"),
    Ban(call("clock_gettime|gettimeofday|time|clock"), MAINS,
        "Loop::Now (base/loop.h)"),
    Ban(r"\bsleep_(for|until)\b|" + call("sleep|usleep|nanosleep"), MAINS,
        "Loop::After (base/loop.h)"),
    Ban(r"\bstd::(thread|jthread|async)\b(?!::)|\bpthread_create\b", MAINS,
        "a Loop (base/loop.h)"),
    Ban(r"\bstd::(random_device|mt19937\w*|default_random_engine)\b|" +
        call("rand|srand|drand48|getrandom"), MAINS,
        "Random with a seed passed in (base/random.h)"),
    Ban(call("getenv|secure_getenv|setenv"),
        ("cmd/", "tests/", "bench/", "base/transcript"),
        "an option that the main fills in"),
    Ban(r"\bstd::(cout|cerr|clog)\b|" + call("printf|fprintf|puts|perror"), MAINS,
        "a Logger (base/logger.h)"),
    Ban(call("exit|_exit|quick_exit|abort"), MAINS,
        "a Status, or CHECK for our own mistakes (base/check.h)"),
    Ban(call("assert"), (), "CHECK, which stays on in release (base/check.h)"),
    Ban(r"\bthrow\b", (), "a Status (base/status.h)"),
    Ban(call("strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll"), (),
        "std::string, or std::from_chars"),
    Ban(r"\busing\s+namespace\s+(?!std::(chrono_|string_view_)?literals)", (),
        "the full name, or a using of one name"),
]


def is_declaration(before):
    """Whether what follows the text `before` is a name being declared, as
    `random` in `Random random(seed)`, and not a call."""
    word = re.search(r"(\w+)\s+$", before[-80:])
    return bool(word) and word.group(1) not in ("return", "else", "do", "case")


def problems(top):
    found = []
    for name in tree.cplusplus(top):
        code = source.code_only(tree.read(top, name))
        for ban in BANS:
            if not ban.covers(name):
                continue
            for match in ban.pattern.finditer(code):
                if is_declaration(code[:match.start()]):
                    continue
                line = code.count("\n", 0, match.start()) + 1
                what = match.group().strip(" (")
                found.append(f"{name}:{line}: {what}: use {ban.instead}")
    return found


if __name__ == "__main__":
    ROOT = tree.root()
    tree.finish(problems(ROOT), len(tree.cplusplus(ROOT)))
