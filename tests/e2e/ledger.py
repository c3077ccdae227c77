"""What writers.cc was told, and whether a restarted server stands by it."""
import base64
import dataclasses
import json
import re
import subprocess

PARTS = ("/a", "/b", "/c")


@dataclasses.dataclass(frozen=True)
class Write:
    kind: str
    key: str
    value: str
    revision: int = 0  # 0: never answered

    def keys(self):
        return [self.key + part for part in PARTS] if self.kind == "txn" else [self.key]


def parse(text):
    """The acknowledged writes, and those whose fate no one was told."""
    acked, unknown = [], []
    for line in text.splitlines():
        state, kind, key, value, *revision = line.split(" ")
        write = Write(kind, key, value, int(revision[0]) if revision else 0)
        (acked if state == "acked" else unknown).append(write)
    return acked, unknown


@dataclasses.dataclass
class Contents:
    revision: int
    keys: dict  # key: (value, mod revision)


def read(server):
    """All keys of a server, by etcdctl."""
    reply = json.loads(server.must("get", "", "--prefix", "--write-out=json", "--command-timeout=60s"))
    decode = lambda text: base64.b64decode(text).decode()
    keys = {decode(kv["key"]): (decode(kv.get("value", "")), kv["mod_revision"]) for kv in reply.get("kvs", [])}
    return Contents(reply["header"]["revision"], keys)


def values_at(rpc_calls, server, writes):
    """The value and mod revision of each write's key, read at its revision."""
    lines = "".join(f'KV/Range key: "{write.key}" revision: {write.revision}\n' for write in writes)
    done = subprocess.run([rpc_calls, server.endpoint], input=lines, capture_output=True, text=True, check=True)
    for reply in done.stdout.split("----\n")[:-1]:
        value = re.search(r'^  value: "(.*)"$', reply, re.M)
        revision = re.search(r"^  mod_revision: (\d+)$", reply, re.M)
        yield (value[1], int(revision[1])) if value and revision else reply


def wrong_now(acked, contents):
    """Acknowledged writes that are not there, or not with their revision."""
    for write in acked:
        if write.kind == "over":
            continue
        for key in write.keys():
            if contents.keys.get(key) != (write.value, write.revision):
                yield f"{write} was acknowledged; {key} is {contents.keys.get(key)}"


def wrong_then(acked, rpc_calls, server):
    """Acknowledged overwrites that cannot be read at their revision."""
    overs = [write for write in acked if write.kind == "over"]
    for write, got in zip(overs, values_at(rpc_calls, server, overs)):
        if got != (write.value, write.revision):
            yield f"{write} was acknowledged; at its revision there is {got}"


def halves(contents):
    """Revisions of a txn that has not all of its three keys."""
    txns = {}
    for key, (value, revision) in contents.keys.items():
        if key.startswith("txn/"):
            txns.setdefault(key[:-2], {})[key[-2:]] = (value, revision)
    for key, parts in txns.items():
        if sorted(parts) != sorted(PARTS) or len(set(parts.values())) != 1:
            yield f"{key} is half there: {parts}"


def gaps(contents, acked, unknown_overs, rpc_calls, server):
    """Revisions between the first and the newest at which nothing happened.

    Overwritten puts are gone from the newest view: those acknowledged are known
    by their revision, the others are asked for.
    """
    seen = {revision for _, revision in contents.keys.values()}
    seen.update(write.revision for write in acked)
    missing = sorted(set(range(2, contents.revision + 1)) - seen)
    keys = sorted({write.key for write in unknown_overs})
    asked = [Write("over", key, "", revision) for revision in missing for key in keys]
    found = {got[1] for got in values_at(rpc_calls, server, asked) if isinstance(got, tuple)}
    for revision in missing:
        if revision not in found:
            yield f"nothing happened at revision {revision} of {contents.revision}"


def strangers(contents, acked, unknown):
    """Keys that no one wrote."""
    known = {key for write in acked + unknown for key in write.keys()}
    for key in contents.keys.keys() - known:
        yield f"{key} was never written"


def check(server, rpc_calls, acked, unknown):
    """All that is wrong; empty when the server kept its word."""
    contents = read(server)
    unknown_overs = [write for write in unknown if write.kind == "over"]
    wrong = [*wrong_now(acked, contents), *wrong_then(acked, rpc_calls, server), *halves(contents),
             *gaps(contents, acked, unknown_overs, rpc_calls, server), *strangers(contents, acked, unknown)]
    revisions = [write.revision for write in acked]
    if len(set(revisions)) != len(revisions):
        wrong.append("two acknowledged writes have one revision")
    return wrong, contents
