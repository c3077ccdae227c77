"""stratautl beside etcd's own tools: utl_test.py STRATAUTL STRATAD

The same numbers as etcdctl on the same files and servers; each known call in
the dump of a real etcd's log; the files of a running server refused; damage
told with file and offset, and no byte changed.
"""
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import server
from server import ETCD, ETCDCTL, Server

STRATAD = os.path.abspath(sys.argv.pop(2))
STRATAUTL = os.path.abspath(sys.argv.pop(1))
PAGE = 4096


def utl(*arguments):
    return subprocess.run([STRATAUTL, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def database(data):
    return data / "member/snap/db"


def segment(data):
    return next((data / "member/wal").glob("0*.wal"))


def digest(directory):
    """Every file's sum, and so a way to see that nothing was changed."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(directory.rglob("*")) if path.is_file()}


def text(encoded):
    return base64.b64decode(encoded).decode()


class UtlTest(unittest.TestCase):
    def setUp(self):
        self.root = server.scratch("strata-utl-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.data = self.root / "data"

    def must(self, *arguments):
        done = utl(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done

    def fill(self, member):
        """Revisions 2 to 45: puts, a transaction, deletions, a compaction."""
        for number in range(40):
            member.must("put", f"key{number % 13}", "v" * (number * 31))
        member.must("txn", stdin=b'value("key1") = "x"\n\nput no 1\n\nput yes 2\nput also 3\n\n')
        member.must("del", "key3")
        member.must("put", "key3", "again")
        member.must("del", "key4", "key6")
        member.must("compaction", "20", "--physical")

    def served_hashes(self, member, revisions):
        hashes = {}
        for revision in revisions:
            reply = json.loads(member.must("endpoint", "hashkv", f"--rev={revision}", "--write-out=json"))
            hashes[revision] = reply[0]["HashKV"]["hash"]
        return hashes

    def test_numbers_are_etcdctls(self):
        for binary in (ETCD, STRATAD):
            with self.subTest(binary=binary):
                data = self.root / pathlib.Path(binary).name
                saved = self.root / (pathlib.Path(binary).name + ".snapshot")
                with Server(binary, data) as member:
                    self.fill(member)
                    hashes = self.served_hashes(member, (0, 21, 25, 40, 45))
                    pairs = [(member.must("get", f"--rev={revision}", f"key{number}"), revision, number)
                             for revision in (20, 30, 45) for number in (0, 3, 4, 12)]
                    if binary == ETCD:
                        member.must("snapshot", "save", str(saved))
                    member.stop()
                before = digest(data)
                for revision, expected in hashes.items():
                    simple = self.must("hashkv", database(data), "--rev", revision).stdout
                    self.assertEqual(simple, f"{expected}, {revision or 45}, 20\n")
                    self.assertEqual(json.loads(self.must("hashkv", "--data-dir", data, "--rev", revision, "-w", "json").stdout),
                                     {"hash": expected, "hashRevision": revision or 45, "compactRevision": 20})
                for expected, revision, number in pairs:
                    self.assertEqual(self.must("db", "get", f"key{number}", "--rev", revision, data).stdout, expected)
                self.assertEqual(utl("db", "get", "key0", "--rev", 19, data).returncode, 1)
                for file in (database(data), *([saved] if binary == ETCD else [])):
                    for form in ("simple", "json", "table"):
                        theirs = subprocess.run([ETCDCTL, "snapshot", "status", str(file), "-w", form],
                                                capture_output=True, text=True, env=server.clean_environment())
                        self.assertEqual(theirs.returncode, 0, theirs.stderr)
                        self.assertEqual(self.must("snapshot", "status", file, "-w", form).stdout, theirs.stdout)
                # etcdctl opens the file for writing, but leaves it as it is.
                self.assertEqual(digest(data), before)

    def test_keys_and_history(self):
        with Server(ETCD, self.data) as member:
            self.fill(member)
            listed = json.loads(member.must("get", "", "--prefix", "--write-out=json"))["kvs"]
            member.stop()
        ours = lines(self.must("db", "keys", "--data-dir", self.data, "-w", "json"))
        self.assertEqual([key["key"] for key in ours], [kv["key"] for kv in listed])
        for key, kv in zip(ours, listed):
            self.assertEqual([key["create_revision"], key["mod_revision"], key["version"]],
                             [kv["create_revision"], kv["mod_revision"], kv["version"]])
        history = lines(self.must("db", "history", "key3", "--data-dir", self.data, "-w", "json"))
        self.assertEqual([change["change"] for change in history][-2:], ["delete", "put"])
        self.assertEqual(text(history[-1]["value"]), "again")
        transaction = [lines(self.must("db", "history", key, "--data-dir", self.data, "-w", "json"))[0]["revision"]
                       for key in ("yes", "also")]
        self.assertEqual(transaction, ["42.0", "42.1"])
        dumped = lines(self.must("db", "dump", "--data-dir", self.data, "-w", "json"))
        total = json.loads(self.must("snapshot", "status", database(self.data), "-w", "json").stdout)["totalKey"]
        self.assertEqual(len(dumped), total)

    def test_log_of_known_calls(self):
        with Server(ETCD, self.data) as member:
            member.must("put", "one", "1234567")
            member.must("put", "two words", "")
            member.must("del", "one")
            member.must("txn", stdin=b'value("a") = "x"\n\nput a 1\n\nput b 2\nput c 3\n\n')
            lease = member.must("lease", "grant", "600").split()[1]
            member.must("put", "held", "x", f"--lease={lease}")
            member.must("compaction", "3")
            added = member.must("member", "add", "l", "--learner", "--peer-urls=http://127.0.0.1:21599").split()[1]
            member.must("member", "remove", added)
            member.stop()
        records = lines(self.must("wal", "dump", "--data-dir", self.data, "-w", "json"))
        meanings = [record["meaning"] for record in records if record["type"] == "entry"]
        requests = [meaning for meaning in meanings if not meaning.startswith(("v2 ", "the empty entry", "conf change"))]
        self.assertEqual(requests[:4] + requests[5:], [
            'put "one", value of 7 bytes',
            'put "two words", value of 0 bytes',
            'delete "one"',
            "txn of 1 compares, 1 operations if they hold, 2 if not",
            f'put "held", value of 1 bytes, lease {lease}',
            "compact at 3",
        ])
        self.assertRegex(requests[4], f"lease_grant.*{int(lease, 16)}")
        changes = [meaning for meaning in meanings if meaning.startswith("conf change")]
        self.assertIn("add member", changes[0])
        self.assertTrue(changes[1].startswith(f"conf change: add learner {added}"), changes[1])
        self.assertEqual(changes[2], f"conf change: remove member {added}")
        entries = [record["index"] for record in records if record["type"] == "entry"]
        self.assertEqual(entries, list(range(1, len(entries) + 1)))
        # From the first byte to the last.
        at = 0
        for record in records:
            self.assertEqual(record["offset"], at)
            at += record["bytes"]
        self.assertEqual(at, segment(self.data).stat().st_size)
        check = json.loads(self.must("wal", "check", "--data-dir", self.data, "-w", "json").stdout)
        self.assertEqual((check["whole"], check["last_index"]), (True, len(entries)))

    def test_a_directory_in_use_is_refused(self):
        for binary in (ETCD, STRATAD):
            data = self.root / pathlib.Path(binary).name
            with Server(binary, data) as member:
                member.must("put", "a", "1")
                for command in (("db", "check"), ("db", "stats"), ("db", "keys"), ("db", "dump"), ("wal", "dump"),
                                ("wal", "check"), ("hashkv",), ("db", "advice"), ("db", "compact", "--rev=2"), ("defrag",)):
                    done = utl(*command, "--data-dir", data)
                    self.assertEqual(done.returncode, 1, command)
                    self.assertIn(f"held by process {member.process.pid} ({pathlib.Path(binary).name})", done.stderr, command)
                member.must("put", "a", "2")
                member.stop()

    def test_damage_is_told_and_nothing_is_changed(self):
        with Server(ETCD, self.data) as member:
            self.fill(member)
            member.stop()
        good = database(self.data).read_bytes()
        pages = lines(self.must("db", "pages", "--data-dir", self.data, "-w", "json"))
        leaf = next(page for page in pages if page["kind"] == "leaf" and page.get("bucket") == "key")["page"] * PAGE
        element = bytearray(good)
        element[leaf + 16 + 5] ^= 0x40  # where the first key is
        meta = bytearray(good)
        newest = max((0, 1), key=lambda slot: good[slot * PAGE + 64 : slot * PAGE + 72][::-1])
        meta[newest * PAGE + 70] ^= 1
        used = (max(page["page"] for page in pages if page["kind"] == "leaf") + 1) * PAGE
        cases = {
            "cut": (good[: used - PAGE], used - PAGE),
            "a page of zeros": (good[:leaf] + bytes(PAGE) + good[leaf + PAGE :], leaf),
            "a bit of an element": (bytes(element), leaf),
            "a meta": (bytes(meta), newest * PAGE),
            "empty": (b"", 0),
        }
        path = str(database(self.data))
        for name, (content, offset) in cases.items():
            database(self.data).write_bytes(content)
            before = digest(self.data)
            for command in (["check"], ["stats"], ["buckets"], ["pages"], ["page", "3"], ["keys"], ["get", "key1"],
                            ["history", "key1"], ["dump"], ["advice"]):
                with self.subTest(damage=name, command=command):
                    done = utl("db", *command, "--data-dir", self.data)
                    told = done.stdout + done.stderr
                    self.assertEqual(done.returncode, 1, told)
                    self.assertIn(path, told)
                    self.assertIn(f"offset {offset}", told)
            for command in (["hashkv", path], ["snapshot", "status", path], ["defrag", "--data-dir", self.data]):
                with self.subTest(damage=name, command=command):
                    done = utl(*command)
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertIn("offset ", done.stderr)
            self.assertEqual(digest(self.data), before, name)
        database(self.data).write_bytes(good)
        self.must("db", "check", "--data-dir", self.data)

    def test_damaged_and_torn_logs(self):
        with Server(ETCD, self.data) as member:
            for number in range(20):
                member.must("put", f"key{number}", "v" * 2000)
            member.stop()
        path = segment(self.data)
        good = path.read_bytes()
        records = lines(self.must("wal", "dump", "--data-dir", self.data, "-w", "json"))
        middle = [record for record in records if record["type"] == "entry"][10]
        flipped = bytearray(good)
        flipped[middle["offset"] + 100] ^= 1
        path.write_bytes(flipped)
        before = digest(self.data)
        for command in ("dump", "check"):
            done = utl("wal", command, "--data-dir", self.data)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{path} offset {middle['offset']}: crc mismatch", done.stdout + done.stderr)
        self.assertEqual(digest(self.data), before)
        # A write that was cut short: after the last record, half of one more.
        end = records[-1]["offset"]
        self.assertEqual(records[-1]["type"], "zeros")
        torn = bytearray(good)
        torn[end : end + 300] = good[middle["offset"] : middle["offset"] + 300]
        path.write_bytes(torn)
        before = digest(self.data)
        dumped = lines(self.must("wal", "dump", "--data-dir", self.data, "-w", "json"))
        self.assertEqual([(record["type"], record["offset"]) for record in dumped[-2:]],
                         [("torn", end), ("zeros", end + 300)])
        check = json.loads(self.must("wal", "check", "--data-dir", self.data, "-w", "json").stdout)
        self.assertIn(f"offset {end}: 300 bytes", check["torn_tail"])
        self.assertEqual(digest(self.data), before)

    def test_etcd_goes_on_after_compact_and_defrag(self):
        with Server(ETCD, self.data) as member:
            self.fill(member)
            member.stop()
        self.must("db", "compact", "--rev", 30, "--data-dir", self.data)
        expected = json.loads(self.must("hashkv", database(self.data), "-w", "json").stdout)
        size = database(self.data).stat().st_size
        self.must("defrag", "--data-dir", self.data)
        self.assertLess(database(self.data).stat().st_size, size)
        with Server(ETCD, self.data) as member:
            self.assertNotEqual(member.ctl("get", "key1", "--rev=29").returncode, 0)
            member.must("get", "key1", "--rev=31")
            self.assertEqual(self.served_hashes(member, (45,))[45], expected["hash"])
            member.must("put", "after", "1")
            member.stop()
        self.must("db", "check", "--data-dir", self.data)

    def test_advice_that_is_followed(self):
        with Server(ETCD, self.data) as member:
            self.fill(member)
            hashes = self.served_hashes(member, (45,))
            member.stop()
        good = database(self.data).read_bytes()
        newest = max((0, 1), key=lambda slot: good[slot * PAGE + 64 : slot * PAGE + 72][::-1])
        bad = bytearray(good)
        bad[newest * PAGE + 70] ^= 1
        database(self.data).write_bytes(bad)
        done = utl("db", "advice", "--data-dir", self.data, "-w", "json")
        self.assertEqual(done.returncode, 1)
        first = json.loads(done.stdout)["advice"][0]
        self.assertEqual(first["loses"], "nothing")
        self.assertIn(f"meta {1 - newest} names", first["why"])
        copy = self.root / "copy"
        self.must("db", "copy", "--out", copy, "--data-dir", self.data)
        copy.replace(database(self.data))
        with Server(ETCD, self.data) as member:
            self.assertEqual(self.served_hashes(member, (45,)), hashes)
            member.stop()
        # Or from the log alone.
        advice = json.loads(utl("db", "advice", "--data-dir", self.data, "-w", "json").stdout)
        self.assertEqual(advice["advice"], [])
        database(self.data).write_bytes(bytes(len(good)))
        done = utl("db", "advice", "--data-dir", self.data)
        self.assertIn("move away " + str(database(self.data)), done.stdout)
        database(self.data).unlink()
        with Server(ETCD, self.data) as member:
            self.assertEqual(self.served_hashes(member, (45,)), hashes)


if __name__ == "__main__":
    unittest.main(verbosity=2)
