"""What the documents say holds: links, names of files, commands, code.

- A link to a file or a heading of ours leads somewhere, and so does the path of
  a file in a comment of our code.
- A command in a `sh` block is a target of the Makefile, a script of ours, or
  one of the few tools a newcomer needs before there is anything of ours.
- A `cpp` block stands, but for its indentation, in a file of docs/examples,
  which is compiled and run.
- A `console` block is run by readme_test.
"""
import re
import shlex
import subprocess

import tree

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
_COMMENT = re.compile(r"^\s*(?://|#(?!include)).*$", re.MULTILINE)
_COMMENT_PATH = re.compile(r"(?<![\w/.])((?:[\w-]+/)+[\w.-]+\.(?:md|h|cc|py|txt|sh))\b")
NEWCOMERS_TOOLS = ("sudo", "apt-get", "git", "cd")
CODE = (".cc", ".h", ".py", ".bzl", ".bazel", ".sh", ".proto")
LANGUAGES = ("", "sh", "console", "cpp", "text")


def documents(top):
    return [name for name in tree.files(top) if name.endswith(".md")]


def blocks(text):
    """(language, line number, content) of each fenced block."""
    return [(match.group(1), text.count("\n", 0, match.start()) + 1,
             match.group(2)) for match in _BLOCK.finditer(text)]


def anchors(text):
    """The names GitHub gives to the headings of a document."""
    prose = _BLOCK.sub("", text)
    headings = re.findall(r"^#+ +(.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in headings}


def link_problems(top, folders, name, text):
    prose = _BLOCK.sub("", text)
    folder = (top / name).parent
    for target in _LINK.findall(prose):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = folder / path if path else top / name
        if not file.exists():
            yield f"{name}: link to {target}: no such file"
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"{name}: link to {target}: no such heading"
    for path in _PATH.findall(prose):
        if path.split("/")[0] not in folders:
            continue
        if not (top / path).exists() and not (folder / path).exists():
            yield f"{name}: names `{path}`, which is not there"


def ours(top):
    """The folders of the top level, so that a path of ours is known as one."""
    return {name.split("/")[0] for name in tree.files(top) if "/" in name}


def comment_problems(top, folders, name, text):
    for comment in _COMMENT.finditer(text):
        for path in _COMMENT_PATH.findall(comment.group()):
            if path.split("/")[0] in folders and not (top / path).exists():
                line = text.count("\n", 0, comment.start()) + 1
                yield f"{name}:{line}: names {path}, which is not there"


def make_problem(top, words):
    targets = [word for word in words[1:] if "=" not in word]
    known = (top / "Makefile").read_text(encoding="utf-8")
    for target in targets:
        if not re.search(rf"^[\w ]*\b{re.escape(target)}\b[\w ]*:", known,
                         re.MULTILINE):
            return f"make has no target {target}"
    dry = subprocess.run(["make", "-n", *words[1:]], cwd=top, check=False,
                         capture_output=True, text=True)
    return dry.stderr.strip() if dry.returncode else None


def command_problem(top, command):
    words = shlex.split(command, comments=True)
    while words and re.match(r"\w+=", words[0]):
        words.pop(0)
    if not words or words[0] in NEWCOMERS_TOOLS:
        return None
    if words[0] == "make":
        return make_problem(top, words)
    if words[0] in ("bazel", "python3"):
        words.pop(0)
        if words and words[0] in ("build", "test", "run", "query"):
            return None
    if words and (top / words[0]).is_file():
        return None
    return f"unknown command {words[0] if words else command!r}"


def flush_left(code):
    return "".join(line.strip() + "\n" for line in code.splitlines())


def block_problems(top, name, text):
    examples = [flush_left(tree.read(top, file)) for file in tree.files(top)
                if file.startswith("docs/examples/")]
    for language, line, content in blocks(text):
        if language not in LANGUAGES:
            yield f"{name}:{line}: a block in {language}, which nothing checks"
        if language == "sh":
            for command in content.replace("\\\n", " ").splitlines():
                why = command_problem(top, command)
                if why:
                    yield f"{name}:{line}: {command.strip()}: {why}"
        if language == "cpp" and not any(flush_left(content) in example
                                         for example in examples):
            yield f"{name}:{line}: this code is not in docs/examples"


def problems(top):
    found = []
    folders = ours(top)
    for name in documents(top):
        text = tree.read(top, name)
        found += link_problems(top, folders, name, text)
        found += block_problems(top, name, text)
    for name in tree.files(top):
        if name.endswith(CODE):
            found += comment_problems(top, folders, name, tree.read(top, name))
    return found


if __name__ == "__main__":
    ROOT = tree.root()
    tree.finish(problems(ROOT), len(documents(ROOT)))
