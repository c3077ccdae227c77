"""The ledger's checks, tried on servers that lost something: ledger_test.py WRITERS RPC_CALLS"""
import os
import pathlib
import shutil
import sys
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import kill9_test
import ledger
import server
from ledger import Contents, Write

RPC_CALLS = os.path.abspath(sys.argv.pop(2))
WRITERS = os.path.abspath(sys.argv.pop(1))


class Checks(unittest.TestCase):
    def test_parse(self):
        acked, unknown = ledger.parse("acked put k v 7\nunknown txn t v\n")
        self.assertEqual(acked, [Write("put", "k", "v", 7)])
        self.assertEqual(unknown, [Write("txn", "t", "v")])
        self.assertEqual(unknown[0].keys(), ["t/a", "t/b", "t/c"])

    def test_lost_changed_moved(self):
        acked = [Write("put", "k", "v", 7)]
        for keys, count in (({"k": ("v", 7)}, 0), ({}, 1), ({"k": ("w", 7)}, 1), ({"k": ("v", 8)}, 1)):
            self.assertEqual(len(list(ledger.wrong_now(acked, Contents(9, keys)))), count, keys)

    def test_halves(self):
        whole = {"txn/1/a": ("v", 2), "txn/1/b": ("v", 2), "txn/1/c": ("v", 2)}
        self.assertEqual(list(ledger.halves(Contents(2, whole))), [])
        self.assertEqual(len(list(ledger.halves(Contents(2, {**whole, "txn/1/c": ("v", 3)})))), 1)
        del whole["txn/1/b"]
        self.assertEqual(len(list(ledger.halves(Contents(2, whole)))), 1)

    def test_strangers(self):
        contents = Contents(3, {"k": ("v", 2), "other": ("v", 3)})
        self.assertEqual(list(ledger.strangers(contents, [Write("put", "k", "v", 2)], [])), ["other was never written"])


class Servers(unittest.TestCase):
    def wrong(self, subject, acked, unknown=()):
        return ledger.check(subject, RPC_CALLS, acked, list(unknown))[0]

    def test_a_hole_in_the_revisions(self):
        with server.Server(server.ETCD) as subject:
            subject.must("put", "k", "1")
            subject.must("put", "over/1", "1")
            subject.must("put", "over/1", "2")
            acked = [Write("put", "k", "1", 2), Write("over", "over/1", "2", 4)]
            # Revision 3 is explained by a write that was never answered, or not at all.
            self.assertEqual(self.wrong(subject, acked, [Write("over", "over/1", "1")]), [])
            self.assertEqual(self.wrong(subject, acked), ["nothing happened at revision 3 of 4"])

    def test_an_overwrite_that_is_another(self):
        with server.Server(server.ETCD) as subject:
            subject.must("put", "over/1", "1")
            self.assertEqual(len(self.wrong(subject, [Write("over", "over/1", "2", 2)])), 1)

    def test_a_server_that_forgot(self):
        """The directory is set back to what it was before the last writes."""
        with server.Server(server.ETCD) as subject:
            acked, unknown = kill9_test.write_until_killed(subject, WRITERS, "r0", 0.3)
            old = subject.root / "old"
            shutil.copytree(subject.data_dir, old)
            subject.start()
            self.assertEqual(self.wrong(subject, acked, unknown), [])
            more, lost = kill9_test.write_until_killed(subject, WRITERS, "r1", 0.3)
            self.assertTrue(more)
            shutil.rmtree(subject.data_dir)
            old.rename(subject.data_dir)
            subject.start()
            self.assertGreaterEqual(len(self.wrong(subject, acked + more, unknown + lost)), 1)


if __name__ == "__main__":
    unittest.main()
