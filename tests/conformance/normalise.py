"""Takes out of an output what two right servers may differ in, and no more.

Taken out: the port in the endpoint, database sizes, timings, raft term and
index (each must still be a number above zero), the date and client id in
etcdctl's own log lines, and the patch number of the server's version.
Compared as they are: revisions, versions of keys, hashes, counts, cluster and
member ids, error texts and codes, exit codes.
"""
import hashlib
import json
import re

# Names of JSON and of protobuf's text (lower case), and of -w fields (upper case).
VARYING = {
    "raft_term": "term", "raftTerm": "term", "RaftTerm": "term",
    "raftIndex": "index", "RaftIndex": "index",
    "raftAppliedIndex": "index", "RaftAppliedIndex": "index",
    "dbSize": "size", "dbSizeInUse": "size", "DBSize": "size", "DBSizeInUse": "size",
}
VARYING_JSON = re.compile(r'"(%s)":([1-9]\d*)' % "|".join(VARYING))
VARYING_FIELD = re.compile(r'^"(%s)" : ([1-9]\d*)$' % "|".join(VARYING), re.M)
VARYING_TEXT = re.compile(r"^( *)(%s): ([1-9]\d*)$" % "|".join(VARYING), re.M)
# 20 kB, 1.2 MB
SIZE = r"[1-9]\d*(?:\.\d+)? [kMG]?B"
STATUS_SIMPLE = re.compile(r"^(ENDPOINT, [0-9a-f]+, \d+\.\d+)\.\d+, %s, (true|false), (true|false), "
                           r"[1-9]\d*, [1-9]\d*, [1-9]\d*, " % SIZE, re.M)
STATUS_ROW = re.compile(r"^(\| ENDPOINT \| [0-9a-f]+ \| \d+\.\d+)\.\d+ \| %s \| (true|false) \| (true|false) "
                        r"\| [1-9]\d* \| [1-9]\d* \| [1-9]\d* \|" % SIZE, re.M)
SERVER_VERSION = re.compile(r'("?[vV]ersion"?\s?:\s?"\d+\.\d+)\.\d+"')
DURATION = r"[0-9.]+(?:ns|\\xc2\\xb5s|ms|s)"
TOOK = re.compile(r'(took = |"took":"|"Took" : |^\| ENDPOINT \| (?:true|false) \| )' + DURATION, re.M)
LOG_LINE = re.compile(r'^\{"level":', re.M)
CLIENT_ID = re.compile(r"client-[0-9a-f-]{36}")


def printable(data):
    """Text with every byte that is not printable ASCII or a newline escaped."""
    return "".join(chr(byte) if 32 <= byte < 127 or byte == 10 else f"\\x{byte:02x}" for byte in data)


def squeeze_table(line):
    """A table line without what depends on the width of its cells."""
    if line.startswith("+-"):
        return re.sub("-+", "-", line)
    if line.startswith("| "):
        return re.sub(" +", " ", line)
    return line


def log_line(line):
    """A line of etcdctl's own log: its date goes."""
    if not line.startswith('{"level":'):
        return line
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    fields.pop("ts", None)
    return json.dumps(fields)


def shorten(line):
    return line if len(line) <= 400 else f"{line[:160]}...({len(line)} characters, hash {hash_of(line)})"


def hash_of(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def text(data, endpoint):
    """An output of etcdctl in the form that is compared."""
    out = printable(data).replace(endpoint, "ENDPOINT")
    out = "\n".join(log_line(squeeze_table(line)) for line in out.split("\n"))
    out = CLIENT_ID.sub("client-ID", out)
    out = TOOK.sub(r"\1TIME", out)
    out = VARYING_JSON.sub(lambda m: f'"{m[1]}":<{VARYING[m[1]]}>', out)
    out = VARYING_FIELD.sub(lambda m: f'"{m[1]}" : <{VARYING[m[1]]}>', out)
    out = VARYING_TEXT.sub(lambda m: f"{m[1]}{m[2]}: <{VARYING[m[2]]}>", out)
    out = STATUS_SIMPLE.sub(r"\1.x, <size>, \2, \3, <term>, <index>, <index>, ", out)
    out = STATUS_ROW.sub(r"\1.x | <size> | \2 | \3 | <term> | <index> | <index> |", out)
    out = SERVER_VERSION.sub(r'\1.x"', out)
    return "\n".join(shorten(line) for line in out.split("\n"))


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def message(data, names=()):
    """A protobuf message as text. `names` says which of its fields vary."""
    at, out = 0, []
    while at < len(data):
        tag, at = varint(data, at)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(data, at)
            out.append(f"{field}: {'<varies>' if field in names and value > 0 else value}")
        elif kind == 2:
            size, at = varint(data, at)
            body, at = data[at:at + size], at + size
            # Field 1 of each response is its header; field 4 of that, the term.
            out.append(f"{field}: {{{message(body, (4,))}}}" if field == 1 and not out
                       else f"{field}: '{printable(body)}'")
        else:
            return "not a response: " + printable(data)
    return ", ".join(out)


def response(data):
    """The output of `-w protobuf`."""
    try:
        return message(data)
    except IndexError:
        return "cut short: " + printable(data)


# Quoted in the gateway's JSON, or of /version.
HTTP_VARYING = dict(VARYING, etcdserver="version", etcdcluster="version")


def http_value(value):
    """A JSON value with what varies in it replaced."""
    if isinstance(value, list):
        return [http_value(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: f"<{HTTP_VARYING[name]}>" if name in HTTP_VARYING and re.fullmatch(r"[1-9][\d.]*", str(inner))
            else http_value(inner) for name, inner in value.items()}


def http_line(line):
    """A line of a response's body: JSON in the order it came in, or text."""
    try:
        return json.dumps(http_value(json.loads(line)))
    except ValueError:
        return printable(line.rstrip(b"\n"))
