"""etcd's log and .snap files, and ours: etcd_log_test.py LOG_TOOL

A real etcd's files are taken apart and encoded again: the bytes have to be the
same. Then a real etcd starts on files that we made.
"""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import server
from server import ETCD, Server

LOG_TOOL = os.path.abspath(sys.argv.pop(1))


def tree(node):
    """The v2 store's paths and values, and the names and order of all fields."""
    fields = list(node)
    children = node["Children"]
    below = {name: tree(child) for name, child in children.items()} if children is not None else None
    return fields, node["Path"], node["Value"], node["ExpireTime"], below


def shape(json_value):
    """Names, order and types, without numbers."""
    if isinstance(json_value, dict):
        return [(name, shape(value)) for name, value in json_value.items()]
    if isinstance(json_value, list):
        return len(json_value)
    return type(json_value).__name__


def paths(node):
    children = node["Children"] or {}
    return {node["Path"]: node["Value"]} | {p: v for child in children.values() for p, v in paths(child).items()}


class EtcdLogTest(unittest.TestCase):
    def setUp(self):
        self.root = server.scratch("strata-log-")
        self.data = self.root / "data"
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def make(self, snapshots):
        """A directory left by a stopped etcd, with everything in its log."""
        flags = ["--snapshot-count=10"] if snapshots else []
        with Server(ETCD, self.data, flags=flags) as etcd:
            for number in range(45):
                etcd.must("put", f"key{number}", "v" * (number * 37))
            member = etcd.must("member", "list").split(",")[0]
            etcd.must("member", "update", member, "--peer-urls=http://127.0.0.1:2380,http://localhost:2380")
            added = etcd.must("member", "add", "l<&>", "--learner", "--peer-urls=http://127.0.0.1:23499").split()[1]
            etcd.must("member", "remove", added)
            for number in range(20):
                etcd.must("put", "last", str(number))
            etcd.stop()

    def tool(self, *arguments):
        """Runs log_tool; the sums of its lines, and its texts."""
        done = subprocess.run([LOG_TOOL, *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        counts, texts = collections.Counter(), collections.defaultdict(list)
        for line in done.stdout.splitlines():
            name, value = line.split(" ", 1)
            if name.startswith("v2"):
                texts[name].append(value)
            else:
                counts[name] += int(value)
        return counts, texts

    def served(self, data):
        with Server(ETCD, data) as etcd:
            newest = json.loads(etcd.must("get", "", "--prefix", "--write-out=json"))
            newest["header"].pop("raft_term")
            members = json.loads(etcd.must("member", "list", "--write-out=json"))
            members["header"].pop("raft_term")
            etcd.must("put", "after", "1")
            etcd.stop()
        return newest, members

    def test_every_byte_of_etcds_files(self):
        self.make(snapshots=True)
        counts, texts = self.tool("reencode", self.data / "member")
        self.assertGreater(counts["entry"], 65)
        self.assertGreater(counts["state"], 65)
        self.assertEqual(counts["confchange"], 4)
        self.assertEqual(counts["metadata"], 1)
        self.assertEqual(counts["crc"], 1)
        self.assertGreater(counts["snapshot"], 3)
        self.assertGreater(counts["snapshots"], 3)
        self.assertEqual(len(texts["v2ours"]), counts["snapshots"])
        for theirs, ours in zip(texts["v2theirs"], texts["v2ours"]):
            theirs, ours = json.loads(theirs), json.loads(ours)
            self.assertEqual(paths(theirs["Root"]), paths(ours["Root"]))
            self.assertEqual(tree(theirs["Root"]), tree(ours["Root"]))
            theirs["Root"] = ours["Root"] = None
            self.assertEqual(shape(theirs), shape(ours))

    def test_etcd_starts_on_what_we_made(self):
        self.make(snapshots=True)
        original = self.root / "original"
        shutil.copytree(self.data, original)
        expected = self.served(self.data)
        for segment_bytes, release in ((64_000_000, []), (4096, []), (4096, ["release"])):
            copy = self.root / f"copy{segment_bytes}{len(release)}"
            shutil.copytree(original, copy)
            counts, _ = self.tool("rewrite", copy / "member", segment_bytes, *release)
            self.assertGreater(counts["segments"], 0)
            if segment_bytes == 4096 and not release:
                self.assertGreater(counts["segments"], 8)
            self.assertEqual(self.served(copy), expected)
            # etcd's records behind ours.
            self.tool("reencode", copy / "member")

    def test_without_snapshots(self):
        self.make(snapshots=False)
        original = self.root / "original"
        shutil.copytree(self.data, original)
        expected = self.served(self.data)
        self.tool("rewrite", original / "member", 4096)
        self.assertEqual(self.served(original), expected)

    def test_etcd_and_we_lock_each_other_out(self):
        with Server(ETCD, self.data) as etcd:
            done = subprocess.run([LOG_TOOL, "rewrite", str(self.data / "member"), "4096"],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("Unavailable", done.stderr)
            etcd.must("put", "still", "there")


if __name__ == "__main__":
    unittest.main(verbosity=2)
