"""Runs engine/testdata/hash_3.4.txt against a real etcd 3.4 and compares its
HashKV with the answers in the file, which the store's own test compares with
ours."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Etcd:
    def __init__(self, directory):
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.endpoint = client
        self.process = subprocess.Popen(
            ["etcd", "--data-dir", directory, "--listen-client-urls", client,
             "--advertise-client-urls", client, "--listen-peer-urls", peer,
             "--initial-advertise-peer-urls", peer,
             "--initial-cluster", f"default={peer}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while self.ctl("endpoint", "health").returncode != 0:
            if time.monotonic() > deadline:
                sys.exit("etcd does not start")
            time.sleep(0.1)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def ctl(self, *arguments, text=None):
        return subprocess.run(
            ["etcdctl", "--endpoints", self.endpoint, *arguments], input=text,
            env={**os.environ, "ETCDCTL_API": "3"}, capture_output=True,
            text=True, check=False)

    def hash(self, revision):
        answer = self.ctl("endpoint", "hashkv", "-w", "json",
                          "--rev", str(revision))
        for code, words in (("OutOfRange", "has been compacted"),
                            ("OutOfRange", "is a future revision")):
            if words in answer.stderr:
                return f"{code}: etcdserver: mvcc: required revision {words}"
        fields = json.loads(answer.stdout)[0]["HashKV"]
        at = revision or fields["header"]["revision"]
        return (f"hash={fields['hash']} compacted={fields['compact_revision']} "
                f"at={at}")


def end_of(words):
    for word in words:
        if word.startswith("end="):
            return [word[4:].replace("\\x00", "\0")]
    return []


def txn_text(lines):
    """What `etcdctl txn` reads: compares, and two lists of operations."""
    compares, operations = [], []
    for words in (line.split() for line in lines):
        if words[0] == "if":
            compares.append(f'ver("{words[2]}") = "{words[4]}"')
        else:
            operations.append(" ".join(
                words[:2] + (end_of(words) or words[2:])))
    return "\n".join(compares) + "\n\n" + "\n".join(operations) + "\n\n\n"


def deleted(etcd, words):
    end = end_of(words)
    if end == ["\0"]:
        return etcd.ctl("del", "--from-key", words[1])
    return etcd.ctl("del", words[1], *end)


def run(etcd, lines):
    """Yields the answer of each hash command, in order."""
    transaction = None
    for line in lines:
        words = line.split()
        if transaction is not None and words[0] != "end":
            transaction.append(line)
            continue
        if words[0] == "txn":
            transaction = []
            continue
        if words[0] == "hash":
            yield etcd.hash(int(words[1][4:]) if len(words) > 1 else 0)
            continue
        if words[0] == "end":
            answer = etcd.ctl("txn", text=txn_text(transaction))
            transaction = None
        elif words[0] == "put":
            answer = etcd.ctl("put", *words[1:])
        elif words[0] == "del":
            answer = deleted(etcd, words)
        else:
            answer = etcd.ctl("compaction", "--physical", words[1])
        if answer.returncode != 0:
            sys.exit(f"{line}: {answer.stderr}")


def main(path):
    commands, wanted, answers = [], [], False
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line == "----" or not line:
                answers = line == "----"
            elif line.startswith("#"):
                continue
            elif not answers:
                commands.append(line)
            elif line.startswith("hash=") or "required revision" in line:
                wanted.append(line)
    with tempfile.TemporaryDirectory() as directory:
        etcd = Etcd(directory)
        try:
            have = list(run(etcd, commands))
        finally:
            etcd.stop()
    for number, (ours, theirs) in enumerate(zip(wanted, have)):
        if ours != theirs:
            print(f"hash {number + 1}: the file has {ours}, etcd says {theirs}")
    if wanted != have:
        sys.exit(f"{len(wanted)} hashes in the file, {len(have)} from etcd")
    print(len(have), "hashes are equal")


if __name__ == "__main__":
    main(sys.argv[1])
