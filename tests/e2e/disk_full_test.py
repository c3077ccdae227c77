"""A disk that fills up: disk_full_test.py STRATAD

The server lives on a small tmpfs in a mount namespace of its own. When that is
full, writes are refused with an error that says so, reads go on, nothing that
was acknowledged is lost, also over a kill and a restart; and when space is
freed writes are taken again.
"""
import os
import pathlib
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import server
from server import Server

STRATAD = os.path.abspath(sys.argv.pop(1))
MEGABYTE = 1 << 20
# Room for two segments of the log and a database of some size.
DISK_MEGABYTES = 220


class Disk:
    """A tmpfs that only processes in its namespace see; the holder keeps it."""

    def __init__(self):
        self.root = server.scratch("strata-disk-")
        script = f"mount -t tmpfs -o size={DISK_MEGABYTES}m none {self.root} && echo mounted && exec sleep 1000"
        self.holder = subprocess.Popen(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.usable = self.holder.stdout.readline() == "mounted\n"
        self.enter = ["nsenter", "--preserve-credentials", "--user", "--mount", f"--target={self.holder.pid}"]

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()
        self.root.rmdir()

    def run(self, *command):
        return subprocess.run([*self.enter, *command], capture_output=True, text=True)

    def fill(self):
        """Takes all that is free."""
        done = self.run("dd", "if=/dev/zero", f"of={self.root}/filler", "bs=64k", "oflag=append", "conv=notrunc")
        assert "No space left" in done.stderr, done.stderr

    def free(self):
        self.run("rm", f"{self.root}/filler")


class DiskFull(unittest.TestCase):
    def setUp(self):
        self.disk = Disk()
        self.addCleanup(self.disk.close)
        if not self.disk.usable:
            self.skipTest("no mount namespaces here: " + self.disk.holder.stderr.read())
        self.subject = Server(STRATAD, self.disk.root / "data", wrap=self.disk.enter)
        self.addCleanup(self.subject.close)
        self.acked = {}

    def put(self, key, value):
        """The error's text; empty if it was acknowledged."""
        done = self.subject.ctl("put", key, "--command-timeout=20s", stdin=value)
        if done.returncode == 0:
            self.acked[key] = value
        return done.stderr.decode() if done.returncode else ""

    def check(self):
        """Everything acknowledged is there, by linearizable and by local reads."""
        for level in ("l", "s"):
            got = self.subject.ctl("get", "", "--prefix", f"--consistency={level}", "--command-timeout=60s")
            self.assertEqual(got.returncode, 0, got.stderr)
            lines = got.stdout.split(b"\n")
            there = dict(zip(lines[0::2], lines[1::2]))
            for key, value in self.acked.items():
                self.assertTrue(there.get(key.encode()) == value, f"{key} at {level}")

    def put_until_refused(self):
        for number in range(DISK_MEGABYTES):
            error = self.put(f"big/{number}", b"%d" % number * (MEGABYTE // len(b"%d" % number)))
            if error:
                return error
        self.fail("a full disk took all that was put")

    def put_until_taken(self):
        deadline = time.monotonic() + 20
        while error := self.put("after", b"freed"):
            self.assertLess(time.monotonic(), deadline, error)
            time.sleep(0.2)

    def test_refuses_serves_recovers(self):
        self.subject.start()
        for number in range(20):
            self.assertEqual(self.put(f"early/{number}", b"%d" % number), "")
        self.disk.fill()
        error = self.put_until_refused()
        self.assertIn("space", error)
        print("refused after", len(self.acked), "puts:", error.splitlines()[-1])
        self.assertIsNone(self.subject.process.poll(), self.subject.log_tail())
        self.check()
        # Refused again, and still there.
        self.assertIn("space", self.put("again", b"v" * MEGABYTE))
        self.check()
        self.disk.free()
        self.put_until_taken()
        self.check()
        self.subject.kill()
        self.subject.start()
        self.check()
        self.assertEqual(self.put("last", b"1"), "")

    def test_killed_while_full(self):
        self.subject.start()
        self.disk.fill()
        self.put_until_refused()
        self.subject.kill()
        # A start on a full disk may be refused, with a reason, but spoils nothing.
        self.subject.launch()
        for _ in range(50):
            if self.subject.process.poll() is not None or self.subject.healthy():
                break
            time.sleep(0.1)
        if self.subject.process.poll() is not None:
            self.assertEqual(self.subject.process.returncode, 1)
            self.assertIn("space", self.subject.log_tail())
        else:
            self.check()
            self.subject.kill()
        self.disk.free()
        self.subject.start()
        self.check()
        self.assertEqual(self.put("last", b"1"), "")


if __name__ == "__main__":
    unittest.main()
