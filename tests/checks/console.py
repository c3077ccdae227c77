"""Runs the `console` blocks of a document and compares what they print.

A line `$ command` is run by bash; the lines below it, up to the next command,
are its output, stdout and stderr. A line `...` stands for any lines.
"""
import re
import subprocess

import docs_check


def steps(block):
    """(command, expected lines) of each command of a console block."""
    result = []
    for line in block.splitlines():
        if line.startswith("$ "):
            result.append((line[2:], []))
        elif result:
            result[-1][1].append(line)
    return result


def matches(expected, lines):
    pattern = "\n".join("(?:.*)" if line == "..." else re.escape(line)
                        for line in expected)
    return re.fullmatch(pattern, "\n".join(lines), re.DOTALL) is not None


def problems(name, text, folder, environment):
    """Runs all console blocks of `text` in `folder`; a block without a command
    is a problem too."""
    for language, line, block in docs_check.blocks(text):
        if language != "console":
            continue
        if not steps(block):
            yield f"{name}:{line}: a console block without a command"
        for command, expected in steps(block):
            run = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, check=False, timeout=60)
            lines = run.stdout.splitlines()
            if not matches(expected, lines):
                yield (f"{name}:{line}: $ {command}\nexpected:\n  " +
                       "\n  ".join(expected) + "\nprinted:\n  " +
                       "\n  ".join(lines))
