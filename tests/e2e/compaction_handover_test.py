"""A compaction that kill -9 interrupts, ended by another program on the same
directory: compaction_handover_test.py STRATAD DB_STATUS

Ours after etcd, etcd after ours, ours after ours: whoever starts next reads the
same and frees the space.
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
sys.path[:0] = [str(HERE.parent / "harness")]

import server
from server import ETCD, Server

DB_STATUS = os.path.abspath(sys.argv.pop(2))
STRATAD = os.path.abspath(sys.argv.pop(1))

KEYS, ROUNDS = 120, 60
WAITS_S = (0, 0.1, 0.15)  # from the compaction to the end


def changes_in(data):
    """How many elements the file has; all but a few are changes."""
    status = subprocess.run([DB_STATUS, str(data / "member/snap/db")], capture_output=True, text=True, check=True)
    return json.loads(status.stdout)["totalKey"]


def read_all(subject):
    return subject.must("get", "", "--prefix", "--command-timeout=60s")


class CompactionHandover(unittest.TestCase):
    def hand_over(self, first, second, wait_s):
        root = server.scratch("strata-compaction-")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        data = root / "data"
        subject = Server(first, data_dir=data)
        with subject:
            for number in range(ROUNDS):
                puts = "".join(f"put key/{key} {number}\n" for key in range(KEYS))
                subject.must("txn", stdin=f"\n{puts}\n\n".encode())
            expected = read_all(subject)
            subject.must("compact", str(ROUNDS))
            time.sleep(wait_s)
            subject.kill()
        with Server(second, data_dir=data) as subject:
            self.assertEqual(read_all(subject), expected)
            old = subject.ctl("get", "key/1", f"--rev={ROUNDS - 1}")
            self.assertIn(b"required revision has been compacted", old.stderr)
            self.assertIn("key/1", subject.must("get", "key/1", f"--rev={ROUNDS}"))
            for _ in range(100):
                subject.stop()
                if changes_in(data) < 4 * KEYS:
                    return
                subject.start()
                time.sleep(0.5)
            self.fail(f"{changes_in(data)} elements are left")

    def test_etcd_ends_ours(self):
        for wait_s in WAITS_S:
            self.hand_over(STRATAD, ETCD, wait_s)

    def test_we_end_etcds(self):
        for wait_s in WAITS_S:
            self.hand_over(ETCD, STRATAD, wait_s)

    def test_we_end_ours(self):
        for wait_s in WAITS_S:
            self.hand_over(STRATAD, STRATAD, wait_s)


if __name__ == "__main__":
    unittest.main()
