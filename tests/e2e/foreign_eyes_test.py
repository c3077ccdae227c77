"""Our directories seen by etcd, and etcd's by us: foreign_eyes_test.py STRATAD WRITERS DB_STATUS

Both servers are started in turn on one directory, with writes in between; each
has to serve what the other left: keys, old revisions, HashKV, ids. etcd sees a
copy too after log segments were released, and reads our db file by itself.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import server
from server import ETCD, Server

DB_STATUS = os.path.abspath(sys.argv.pop(3))
WRITERS = os.path.abspath(sys.argv.pop(2))
STRATAD = os.path.abspath(sys.argv.pop(1))


def reply(subject, *arguments):
    """A JSON answer, without the raft term."""
    answer = json.loads(subject.must(*arguments, "--write-out=json", "--command-timeout=60s"))
    for each in answer if isinstance(answer, list) else [answer]:
        each.pop("Endpoint", None)
        each.get("HashKV", each)["header"].pop("raft_term")
    return answer


def view(subject):
    """What a server serves: the newest keys, old ones, hashes, members."""
    newest = reply(subject, "get", "", "--prefix")
    revision = newest["header"]["revision"]
    compacted = max(reply(subject, "endpoint", "hashkv")[0]["HashKV"].get("compact_revision", 0), 0)
    olds = sorted({revision, revision - 1, (revision + compacted) // 2, compacted + 1} & set(range(1, revision + 1)))
    return {
        "newest": newest,
        "old": [reply(subject, "get", "", "--prefix", f"--rev={old}") for old in olds],
        "hashes": [reply(subject, "endpoint", "hashkv", f"--rev={old}") for old in olds if old > compacted],
        "members": reply(subject, "member", "list"),
    }


def fill(subject, tag):
    """Some of everything: puts, overwrites, deletes, txns, a large value, bytes."""
    for number in range(20):
        subject.must("put", f"{tag}/{number % 7}", f"value {number}")
    subject.must("del", f"{tag}/3")
    subject.must("del", "--prefix", f"{tag}/5")
    subject.must("put", f"{tag}/large", stdin=b"v" * 300_000)
    subject.must("put", f"{tag}/bytes", stdin=b"\0\xff\n\x80")
    subject.must("put", f"{tag}/empty", "")
    operations = "".join(f"put {tag}/txn/{number} x\n" for number in range(30))
    subject.must("txn", stdin=f"\n{operations}del {tag}/1\n\n\n".encode())


def end_under_load(subject, end):
    """Calls `end` while many writers write."""
    process = subprocess.Popen([WRITERS, subject.endpoint, "32", "load"], stdout=subprocess.DEVNULL)
    time.sleep(0.6)
    end()
    process.wait(60)


EMPTY = lambda subject: None


class ForeignEyes(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.root = server.scratch("strata-eyes-")
        self.data = self.root / "data"
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def copy(self):
        """A copy of the directory, for a server that must not touch it."""
        there = self.root / f"copy{len(list(self.root.iterdir()))}"
        shutil.copytree(self.data, there)
        return there

    def same(self, mine, theirs):
        for part in mine:
            self.assertEqual(json.dumps(mine[part])[:100_000], json.dumps(theirs[part])[:100_000], part)
        self.assertEqual(mine, theirs)

    def serves(self, binary, data, expected, flags=()):
        with Server(binary, data, flags=flags) as subject:
            self.same(expected, view(subject))
            # It can be written to, and goes on from there.
            subject.must("put", "after", "1")
            self.assertEqual(reply(subject, "get", "after")["header"]["revision"],
                             expected["newest"]["header"]["revision"] + 1)
            self.assertEqual(subject.stop(), self.clean_exit(binary))

    def clean_exit(self, binary):
        """etcd dies of the signal it was sent; we end."""
        return 0 if server.is_ours(binary) else -15

    def make(self, binary, flags=(), work=fill):
        """A directory left by a stopped server; what it served at the end."""
        with Server(binary, self.data, flags=flags) as subject:
            work(subject)
            expected = view(subject)
            subject.stop()
        return expected

    def test_empty(self):
        expected = self.make(STRATAD, work=EMPTY)
        self.serves(ETCD, self.copy(), expected)
        self.serves(STRATAD, self.copy(), expected)

    def test_etcd_serves_ours(self):
        expected = self.make(STRATAD, work=lambda subject: fill(subject, "one"))
        self.serves(ETCD, self.copy(), expected)

    def test_we_serve_etcds(self):
        expected = self.make(ETCD, work=lambda subject: fill(subject, "one"))
        self.serves(STRATAD, self.copy(), expected)

    def compacted(self, subject):
        fill(subject, "one")
        subject.must("compaction", "15", "--physical")
        fill(subject, "two")
        subject.must("compaction", "40")
        subject.must("put", "last", "1")

    def test_etcd_serves_ours_compacted(self):
        self.serves(ETCD, self.data, self.make(STRATAD, work=self.compacted))

    def test_we_serve_etcds_compacted(self):
        self.serves(STRATAD, self.data, self.make(ETCD, work=self.compacted))

    def shrunk(self, subject):
        """Many keys of which few stay, compacted; then the file is made shorter."""
        fill(subject, "one")
        for batch in range(30):
            puts = "".join(f"put many/{batch}/{number} {'v' * 1500}\n" for number in range(100))
            subject.must("txn", stdin=f"\n{puts}\n\n".encode())
        for batch in range(30):
            if batch % 5:
                subject.must("del", "--prefix", f"many/{batch}/")
            subject.must("put", f"many/{batch}/7", "again")
        revision = reply(subject, "get", "none")["header"]["revision"]
        subject.must("compaction", "--physical", str(revision - 3))
        db = self.data / "member" / "snap" / "db"
        before = db.stat().st_size
        answer = subject.must("defrag")
        self.assertIn(f"Finished defragmenting etcd member[{subject.endpoint}]", str(answer))
        self.assertLess(db.stat().st_size, before / 3)
        fill(subject, "two")

    def test_etcd_serves_ours_shrunk(self):
        for kind in ("map", "array"):
            for sync in ("false", "true"):
                with self.subTest(kind=kind, sync=sync):
                    flags = [f"--backend-bbolt-freelist-type={kind}", f"--backend-freelist-sync={sync}"]
                    expected = self.make(STRATAD, flags, self.shrunk)
                    theirs, ours = self.statuses(self.data / "member" / "snap" / "db")
                    self.assertEqual(theirs, ours)
                    self.serves(STRATAD, self.copy(), expected, flags)
                    self.serves(ETCD, self.data, expected)
                    shutil.rmtree(self.data)

    def statuses(self, db):
        """What etcdctl, after bbolt's own check, and we, after ours, say of a db file."""
        copy = self.root / "db"
        shutil.copy(db, copy)
        command = [server.ETCDCTL, "snapshot", "status", str(copy), "--write-out=json"]
        theirs = subprocess.run(command, capture_output=True, text=True, env=server.clean_environment())
        ours = subprocess.run([DB_STATUS, str(copy)], capture_output=True, text=True)
        self.assertEqual(theirs.returncode, 0, theirs.stderr)
        self.assertEqual(ours.returncode, 0, ours.stderr)
        return json.loads(theirs.stdout), json.loads(ours.stdout)

    def one_status(self, binary):
        db = self.data / "member" / "snap" / "db"
        for work in (EMPTY, self.compacted, lambda subject: fill(subject, "three")):
            expected = self.make(binary, work=work)
            theirs, ours = self.statuses(db)
            self.assertEqual(theirs, ours)
            # Both write all they have when they stop.
            if work is not EMPTY:
                self.assertEqual(theirs["revision"], expected["newest"]["header"]["revision"])

    def test_snapshot_status_of_ours(self):
        self.one_status(STRATAD)

    def test_snapshot_status_of_etcds(self):
        self.one_status(ETCD)

    def segments(self):
        return sorted(path.name for path in (self.data / "member" / "wal").glob("*.wal"))

    def fill_segments(self, subject, tag):
        """More than a segment's 64 MB, and more entries than are kept for followers."""
        fill(subject, f"before{tag}")
        for _ in range(66):
            subject.must("put", "again", stdin=b"v" * 1_000_000)
        subprocess.run([WRITERS, subject.endpoint, "64", f"many{tag}", "90"], stdout=subprocess.DEVNULL, check=True)
        subject.must("compaction", str(reply(subject, "get", "none")["header"]["revision"]))
        fill(subject, f"after{tag}")

    def released(self, binary, other):
        """With snapshots often, the first segment goes; the rest is enough."""
        flags = ["--snapshot-count=50", "--max-wals=1", "--max-snapshots=1"]
        for tag in range(2):
            expected = self.make(binary, flags, lambda subject: self.fill_segments(subject, tag))
        self.assertTrue(list((self.data / "member" / "snap").glob("*.snap")), "no .snap was written")
        if server.is_ours(binary):  # etcd lets go of them every 30 s only
            self.assertNotIn("0000000000000000-0000000000000000.wal", self.segments())
        self.serves(other, self.copy(), expected)
        self.serves(binary, self.copy(), expected)

    def test_etcd_serves_ours_with_segments_released(self):
        self.released(STRATAD, ETCD)

    def test_we_serve_etcds_with_segments_released(self):
        self.released(ETCD, STRATAD)

    def test_back_and_forth(self):
        expected = None
        for turn, binary in enumerate([STRATAD, ETCD, STRATAD, ETCD, STRATAD, STRATAD, ETCD, ETCD, STRATAD]):
            with Server(binary, self.data, flags=["--snapshot-count=60"]) as subject:
                if expected:
                    self.same(expected, view(subject))
                fill(subject, f"turn{turn}")
                if turn % 3 == 2:
                    revision = reply(subject, "get", "none")["header"]["revision"]
                    subject.must("compaction", str(revision - 30))
                expected = view(subject)
                if turn % 2:
                    subject.kill()
                else:
                    subject.stop()

    def ended_under_load(self, end):
        with Server(STRATAD, self.data) as subject:
            end_under_load(subject, lambda: end(subject))
        with Server(STRATAD, self.copy()) as subject:
            expected = view(subject)
        self.assertGreater(expected["newest"]["header"]["revision"], 10)
        self.serves(ETCD, self.copy(), expected)

    def test_stopped_under_load(self):
        self.ended_under_load(Server.stop)

    def test_killed_under_load(self):
        self.ended_under_load(Server.kill)


if __name__ == "__main__":
    unittest.main()
