r"""Reads scripts: of etcdctl calls, and of raw gRPC calls.

An etcdctl script has one call a line, in words as a shell would split them:

    put key value            # words; a comment starts at a word that is #
    put 'a key' "a value"    # quotes; nothing is expanded inside them
    get $'\x00\xff'          # bytes, with the escapes of bash's $'...'
    get {k*4096}             # a word of 4096 times `k`
    put key <{v*1600000}     # the same as the call's stdin
    put key <$'\x00bytes'    # bytes as stdin
    txn <<END                # the following lines, up to END, as stdin;
    %repeat 129 put k%d v    # this one 129 times, %d counted from 0
    END

Without `<` a call's stdin is empty.

What goes on beside the calls is started, fed, looked at and ended by name:

    %start w watch key --rev=7   # etcdctl watch, in the background
    %send w watch other          # a line for its stdin
    %output w 3                  # waits until it has printed 3 lines more
    %end w                       # SIGINT; what else it printed, its exit code
    %exit w                      # the same, but it ends by itself

An rpc script has a method and a request in protobuf's text form, over one line
or more; a line that starts with a space goes on with the call before it:

    KV/Txn
      compare { key: "a" target: VERSION result: EQUAL version: 1 }
      %repeat 129 success { request_put { key: "k%d" value: "{v*100}" } }

A few requests kill an etcd 3.4, or later releases answer them better. They are
made to the subject alone, and the line after each says what the answer has to be:

    KV/Range key: "a" sort_target: 9
    = error 3: etcdserver: invalid sort option

An http script has requests to the same port, a method, a path and perhaps a body:

    POST /v3/kv/put {"key":"Zm9v","value":"{A*400}"}
    GET /health
    STREAM 3 /v3/watch {"create_request":{"key":"Zm9v"}}   # hangs up after 3 lines
    SNAPSHOT /v3/maintenance/snapshot {}                    # looks at its sum alone

What follows two blanks and a # there is a comment.

In all, a line `%restart` stops the server with SIGTERM, `%kill` with SIGKILL,
and starts it again; and a line that starts with `#` is a comment.
"""
import dataclasses
import re

RESTARTS = ("%restart", "%kill")
BACKGROUND = re.compile(r"%(start|send|output|end|exit) (\S+)(.*)")
REPEAT = re.compile(r"\{(.)\*(\d+)\}")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "0": "\0"}


class ScriptError(Exception):
    pass


@dataclasses.dataclass
class Restart:
    where: str
    text: str  # %restart or %kill


@dataclasses.dataclass
class Background:
    where: str
    text: str
    action: str  # start, send, output, end or exit
    name: str
    arguments: list  # of bytes


@dataclasses.dataclass
class RawCall:
    where: str
    text: str
    request: str  # the method and the whole request, in one line
    expected: str = ""  # the answer, where it is not etcd 3.4's


@dataclasses.dataclass
class HttpCall:
    where: str
    text: str
    method: str
    path: str
    body: bytes
    lines: int = 0  # after which it hangs up; 0: never


@dataclasses.dataclass
class Call:
    where: str  # file:line
    text: str  # as it is written, for people
    arguments: list  # of bytes
    stdin: bytes


def unescape(body):
    out, at = bytearray(), 0
    while at < len(body):
        if body[at] != "\\":
            out += body[at].encode()
            at += 1
        elif body[at + 1] == "x":
            out.append(int(body[at + 2:at + 4], 16))
            at += 4
        else:
            out += ESCAPES[body[at + 1]].encode()
            at += 2
    return bytes(out)


TOKEN = re.compile(r"""
    (?P<space>\s+)
  | \$'(?P<ansi>(?:\\.|[^'\\])*)'
  | '(?P<single>[^']*)'
  | "(?P<double>[^"]*)"
  | (?P<repeat>\{.\*\d+\})
  | (?P<bare>(?:(?!\{.\*\d+\})[^\s'"$])+|\$)
""", re.VERBOSE)


def piece(match):
    """The bytes of one piece of a word."""
    kind = match.lastgroup
    if kind == "ansi":
        return unescape(match["ansi"])
    if kind == "repeat":
        char, count = REPEAT.fullmatch(match["repeat"]).groups()
        return char.encode() * int(count)
    return match[kind].encode()


def words(line):
    out, word, at = [], None, 0
    while at < len(line):
        match = TOKEN.match(line, at)
        if not match:
            raise ScriptError("cannot read: " + line[at:])
        at = match.end()
        if match.lastgroup == "space":
            if word is not None:
                out.append(word)
            word = None
            continue
        if word is None and match.lastgroup == "bare" and match["bare"] == "#":
            return out
        word = (word or b"") + piece(match)
    if word is not None:
        out.append(word)
    return out


def expand(line):
    match = re.fullmatch(r"%repeat (\d+) (.*)", line)
    if not match:
        return [line]
    return [match[2].replace("%d", str(number)) for number in range(int(match[1]))]


def parse(name, text):
    """The calls of a script, in order."""
    lines = iter(enumerate(text.splitlines(), 1))
    calls = []
    for number, line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        where = f"{name}:{number}"
        if line in RESTARTS:
            calls.append(Restart(where, line))
            continue
        background = BACKGROUND.fullmatch(line)
        if background:
            action, name, rest = background.groups()
            calls.append(Background(where, line, action, name, words(rest.strip())))
            continue
        try:
            arguments = words(line)
        except ScriptError as error:
            raise ScriptError(f"{where}: {error}") from None
        stdin = b""
        if arguments[-1].startswith(b"<<") and len(arguments[-1]) > 2:
            end, stdin = arguments.pop()[2:].decode(), b""
            for _, inner in lines:
                if inner == end:
                    break
                stdin += "".join(each + "\n" for each in expand(inner)).encode()
            else:
                raise ScriptError(f"{where}: no line {end} follows")
        elif arguments[-1].startswith(b"<"):
            stdin = arguments.pop()[1:]
        calls.append(Call(where, "etcdctl " + line.strip(), arguments, stdin))
    return calls


def parse_rpc(name, text):
    """The calls of a script of raw ones, in order."""
    calls = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line in RESTARTS:
            calls.append(Restart(f"{name}:{number}", line))
            continue
        if line[0] in " =" and not calls:
            raise ScriptError(f"{name}:{number}: no call to go on with")
        if line.startswith(" "):
            calls[-1].text += "\n" + line
        elif line.startswith("= "):
            calls[-1].expected = line[2:] + "\n"
        else:
            calls.append(RawCall(f"{name}:{number}", line, ""))
    for call in calls:
        if isinstance(call, Restart):
            continue
        parts = [part for line in call.text.splitlines() for part in expand(line.strip())]
        call.request = REPEAT.sub(lambda match: match[1] * int(match[2]), " ".join(parts))
    return calls


def parse_http(name, text):
    """The calls of a script of HTTP requests, in order."""
    calls = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        if line in RESTARTS:
            calls.append(Restart(where, line))
            continue
        line = re.sub(r"  +#.*$", "", line)
        match = re.fullmatch(r"([A-Z]+)(?: (\d+))? (/\S*)(?: (.*))?", line)
        if not match:
            raise ScriptError(f"{where}: no request: {line}")
        body = REPEAT.sub(lambda m: m[1] * int(m[2]), match[4] or "")
        calls.append(HttpCall(where, line, match[1], match[3], body.encode(), int(match[2] or 0)))
    return calls
