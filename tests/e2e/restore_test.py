"""A new cluster from a snapshot: restore_test.py STRATAUTL STRATAD

What `stratautl snapshot restore` makes is what etcdctl's makes, and starts as
ours and as etcd's: one member and three, ours, theirs and mixed.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import cluster
import server
from server import ETCD, ETCDCTL, Server

STRATAD = os.path.abspath(sys.argv.pop(2))
STRATAUTL = os.path.abspath(sys.argv.pop(1))
BUMP = 1000000


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=server.clean_environment())


def entries(data):
    """The log of a directory: its owner, and what is in it."""
    done = run(STRATAUTL, "wal", "dump", "--data-dir", data, "-w", "json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    # etcd 3.4 does not name the voters in the snapshot's record, etcdutl does.
    return [(record["type"], record.get("index"), record.get("term"),
             None if record["type"] == "snapshot" else record.get("meaning")) for record in records
            if record["type"] in ("metadata", "entry", "snapshot")]


class RestoreTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One store of etcd's, and its snapshot."""
        cls.root = server.scratch("strata-restore-")
        cls.saved = cls.root / "saved.db"
        cls.data = cls.root / "source"
        with Server(ETCD, cls.data) as source:
            for number in range(60):
                source.must("put", f"key{number % 17}", "v" * (number * 20))
            source.must("del", "key3")
            source.must("put", "last", "one")
            cls.revision = json.loads(source.must("get", "last", "--write-out=json"))["header"]["revision"]
            cls.hash = cls.hash_of(source, cls.revision)
            source.must("snapshot", "save", str(cls.saved))
            source.stop()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root, ignore_errors=True)

    @staticmethod
    def hash_of(member, revision):
        return json.loads(member.must("endpoint", "hashkv", f"--rev={revision}", "--write-out=json"))[0]["HashKV"]["hash"]

    def setUp(self):
        self.made = 0

    def directory(self):
        self.made += 1
        return self.root / f"{self.id().rpartition('.')[2]}{self.made}"

    def restore(self, *flags, file=None, program=STRATAUTL, data=None):
        data = data or self.directory()
        done = run(program, "snapshot", "restore", file or self.saved, "--data-dir", data, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return data

    def refused(self, text, *flags, file=None, data=None):
        data = data or self.directory()
        there = data.exists() and sorted(data.rglob("*"))
        done = run(STRATAUTL, "snapshot", "restore", file or self.saved, "--data-dir", data, *flags)
        self.assertEqual(done.returncode, 1)
        self.assertIn(text, done.stderr)
        if there is not False:
            self.assertEqual(sorted(data.rglob("*")), there)
        self.assertFalse((data / "member").exists() and there is False, "a refused restore left something")

    def single(self):
        return ("--name=default", f"--initial-cluster=default={server.ADVERTISED_PEER}",
                f"--initial-advertise-peer-urls={server.ADVERTISED_PEER}")

    def check_serves(self, member):
        self.assertEqual(self.hash_of(member, self.revision), self.hash)
        self.assertEqual(member.must("get", "last", "--print-value-only"), "one\n")
        member.must("put", "after", "restore")
        self.assertEqual(member.must("get", "after", "--print-value-only"), "restore\n")
        self.assertEqual(member.must("get", "key3"), "")

    def test_what_is_written_is_what_etcdctl_writes(self):
        flags = ("--name=b", "--initial-cluster=b=http://127.0.0.1:22001,a=http://127.0.0.1:22002,a=http://127.0.0.1:22003",
                 "--initial-advertise-peer-urls=http://127.0.0.1:22001", "--initial-cluster-token=other")
        ours, theirs = self.restore(*flags), self.restore(*flags, program=ETCDCTL)
        self.assertEqual(entries(ours), entries(theirs))
        self.assertEqual(len([entry for entry in entries(ours) if entry[0] == "entry"]), 2)
        names = [sorted(path.name for path in (data / "member/snap").iterdir()) for data in (ours, theirs)]
        self.assertEqual(*names)
        for data in (ours, theirs):
            self.assertEqual(run(STRATAUTL, "wal", "check", "--data-dir", data).returncode, 0)
            self.assertEqual(run(STRATAUTL, "db", "check", "--data-dir", data).returncode, 0)

    def test_one_member(self):
        for binary in (STRATAD, ETCD):
            with self.subTest(binary=binary):
                data = self.restore(*self.single())
                with Server(binary, data) as member:
                    self.check_serves(member)
                    member.stop()
                # And the other one goes on with it.
                with Server(ETCD if binary == STRATAD else STRATAD, data) as member:
                    self.check_serves(member)
                    member.stop()

    def test_log_elsewhere_and_a_file_without_a_sum(self):
        database, log = self.data / "member/snap/db", self.directory()
        self.refused("snapshot missing hash but --skip-hash-check=false", *self.single(), file=database)
        data = self.restore(*self.single(), "--skip-hash-check", f"--wal-dir={log}", file=database)
        self.assertFalse((data / "member/wal").exists())
        with Server(STRATAD, data, flags=[f"--wal-dir={log}"]) as member:
            self.check_serves(member)
        self.refused(f'wal-dir "{log}" exists', *self.single(), f"--wal-dir={log}")

    def three(self, binaries):
        some = cluster.Cluster(binaries)
        for member in some.members:
            self.restore(f"--name={member.name}", f"--initial-cluster={member.initial}",
                         f"--initial-advertise-peer-urls={member.peer_url}", data=member.data_dir)
        with some:
            for member in some.members:
                self.check_serves(member)
            some.check_equal()
            for member in some.members:
                member.stop()

    def test_three_members_of_ours(self):
        self.three([STRATAD] * 3)

    def test_three_members_of_both(self):
        self.three([ETCD, STRATAD, ETCD])

    def test_a_bumped_revision(self):
        before = self.revision + BUMP
        hashes = set()
        for binary in (STRATAD, ETCD):
            with self.subTest(binary=binary):
                data = self.restore(*self.single(), f"--bump-revision={BUMP}", "--mark-compacted")
                with Server(binary, data) as member:
                    header = json.loads(member.must("get", "last", "--write-out=json"))["header"]
                    self.assertEqual(header["revision"], before)
                    done = member.ctl("get", "last", f"--rev={self.revision}")
                    self.assertIn(b"required revision has been compacted", done.stderr)
                    watch = member.ctl("watch", "last", f"--rev={self.revision}", "--command-timeout=5s")
                    self.assertIn(b"required revision has been compacted", watch.stdout + watch.stderr)
                    self.assertEqual(member.must("get", "", "--prefix", "--keys-only").count("key"), 16)
                    member.must("put", "after", "bump")
                    header = json.loads(member.must("get", "after", "--write-out=json"))
                    self.assertEqual(header["kvs"][0]["mod_revision"], before + 1)
                    hashes.add(self.hash_of(member, before + 1))
                    member.stop()
                with Server(ETCD if binary == STRATAD else STRATAD, data) as member:
                    hashes.add(self.hash_of(member, before + 1))
                    member.stop()
        self.assertEqual(len(hashes), 1)
        for flags in ((f"--bump-revision={BUMP}",), ("--mark-compacted",)):
            self.refused("--mark-compacted required if --revision-bump > 0", *self.single(), *flags)

    def test_refusals(self):
        there = self.directory()
        (there / "member").mkdir(parents=True)
        self.refused(f'data-dir "{there}" not empty or could not be read', *self.single(), data=there)
        empty = self.directory()
        empty.mkdir()
        self.restore(*self.single(), data=empty)
        self.refused('couldn\'t find local name "x" in the initial cluster configuration', "--name=x")
        self.refused("--initial-cluster has default=http://localhost:2380 but --initial-advertise-peer-urls is http://h:1",
                     "--initial-advertise-peer-urls=http://h:1")
        self.refused("no such file or directory", file=self.root / "none")
        good = self.saved.read_bytes()
        bad = self.root / "bad.db"
        bad.write_bytes(good[:9000] + bytes([good[9000] ^ 1]) + good[9001:])
        self.refused("expected sha256 [", *self.single(), file=bad)
        # The pages are looked at even if the sum is not.
        bad.write_bytes(good[:4096 * 3] + bytes(4096 * 3) + good[4096 * 6:])
        self.refused("offset", *self.single(), "--skip-hash-check", file=bad)


if __name__ == "__main__":
    unittest.main()
