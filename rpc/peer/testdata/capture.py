"""Captures what real etcd members say to each other, for codec_test.

Three members of the etcd in PATH, and a learner that joins them and gets a
snapshot. Each advertises a port of this script, which passes the bytes on and
keeps them. Writes the .bin files beside itself; ports 24100 to 24123.

    python3 rpc/peer/testdata/capture.py
"""
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT, LISTEN, ADVERTISE = 24100, 24110, 24120


def url(port):
    return f"http://127.0.0.1:{port}"


class Proxy:
    """Passes connections from ADVERTISE + i to LISTEN + i, and keeps all."""

    def __init__(self):
        self.records = []
        for i in range(4):
            threading.Thread(target=self.serve, args=(i,), daemon=True).start()

    def serve(self, member):
        listener = socket.create_server(("127.0.0.1", ADVERTISE + member))
        while True:
            asker, _ = listener.accept()
            try:
                asked = socket.create_connection(("127.0.0.1", LISTEN + member))
            except OSError:
                asker.close()
                continue
            record = {"member": member, "ask": bytearray(), "answer": bytearray()}
            self.records.append(record)
            for source, target, kept in ((asker, asked, record["ask"]),
                                         (asked, asker, record["answer"])):
                threading.Thread(target=self.pump, args=(source, target, kept),
                                 daemon=True).start()

    @staticmethod
    def pump(source, target, kept):
        try:
            while data := source.recv(65536):
                kept += data
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def longest(self, member, path, key):
        found = [bytes(r[key]) for r in self.records
                 if r["member"] == member and r["ask"].startswith(path)]
        return max(found, key=len)


def start(directory, member, cluster, state):
    log = open(f"{directory}/{member}.log", "w", encoding="utf-8")
    return subprocess.Popen(
        ["etcd", "--name", f"m{member}", "--data-dir", f"{directory}/{member}",
         "--listen-peer-urls", url(LISTEN + member),
         "--initial-advertise-peer-urls", url(ADVERTISE + member),
         "--listen-client-urls", url(CLIENT + member),
         "--advertise-client-urls", url(CLIENT + member),
         "--initial-cluster", cluster, "--initial-cluster-state", state,
         "--snapshot-count", "5", "--log-level", "error"],
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def etcdctl(member, *arguments):
    return subprocess.run(
        ["etcdctl", "--endpoints", url(CLIENT + member), *arguments],
        env={**os.environ, "ETCDCTL_API": "3"}, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=20, text=True, check=False).stdout


def unchunk(answer):
    data, rest = b"", answer.split(b"\r\n\r\n", 1)[1]
    while rest:
        length, rest = rest.split(b"\r\n", 1)
        length = int(length, 16)
        data += rest[:length]
        rest = rest[length + 2:]
        if length == 0:
            break
    return data


def write(name, data):
    with open(f"{HERE}/{name}", "wb") as file:
        file.write(data)


def main():
    directory = tempfile.mkdtemp(prefix="strata-peer-capture-")
    proxy = Proxy()
    cluster = ",".join(f"m{i}={url(ADVERTISE + i)}" for i in range(3))
    members = [start(directory, i, cluster, "new") for i in range(3)]
    try:
        time.sleep(7)  # members refuse a change before 5 s of peace
        for round_number in range(6):
            for i in range(3):
                etcdctl(i, "put", f"key{round_number}", f"value{i}")
        etcdctl(0, "member", "add", "m3", "--learner",
                f"--peer-urls={url(ADVERTISE + 3)}")
        members.append(start(directory, 3, f"{cluster},m3={url(ADVERTISE + 3)}",
                             "existing"))
        time.sleep(7)
        status = [etcdctl(i, "endpoint", "status").split(", ") for i in range(3)]
    finally:
        for member in members:
            member.kill()
            member.wait()
        shutil.rmtree(directory)
    leader = next(i for i in range(3) if status[i][4] == "true")
    follower = (leader + 1) % 3
    ids = [status[i][1].encode() for i in range(3)]
    stream = b"GET /raft/stream/%s/%s HTTP"
    for name, asked, kind, asker in (
            ("leader_message", leader, b"message", follower),
            ("leader_msgapp", leader, b"msgapp", follower),
            ("follower_message", follower, b"message", leader)):
        write(f"{name}.bin", unchunk(proxy.longest(
            asked, stream % (kind, ids[asker]), "answer")))
    posts = proxy.longest(3, b"POST /raft ", "ask")
    head, body = posts.split(b"\r\n\r\n", 1)
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    write("pipeline.bin", body[:length])
    snapshot = unchunk(posts[posts.index(b"POST /raft/snapshot"):])
    length = int.from_bytes(snapshot[:8], "big")
    write("snapshot_head.bin", snapshot[:8 + length + 16])


if __name__ == "__main__":
    main()
