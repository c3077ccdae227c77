"""The server as a process: process_test.py STRATAD WRITERS RPC_CALLS

What it says at its start, how it stops, what it answers to wrong flags, and who
may use a directory.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import ledger
import server
from server import Server

RPC_CALLS = os.path.abspath(sys.argv.pop(3))
WRITERS = os.path.abspath(sys.argv.pop(2))
STRATAD = os.path.abspath(sys.argv.pop(1))


def run(*flags, timeout_s=20):
    """A start that is expected to end by itself; exit code and all it said."""
    done = subprocess.run([STRATAD, *flags], capture_output=True, text=True, timeout=timeout_s,
                          env=server.clean_environment(), cwd=os.environ.get("TEST_TMPDIR"))
    return done.returncode, done.stdout + done.stderr


class Process(unittest.TestCase):
    def test_says_when_it_is_ready(self):
        subject = Server(STRATAD)
        self.addCleanup(subject.close)
        subject.launch()
        deadline = time.monotonic() + 20
        while "ready to serve client requests" not in subject.log():
            self.assertLess(time.monotonic(), deadline, subject.log())
            self.assertIsNone(subject.process.poll(), subject.log())
            time.sleep(0.01)
        # It was true when it was said: the first call succeeds.
        subject.must("put", "a", "1")

    def test_second_on_the_directory(self):
        with Server(STRATAD) as first:
            first.must("put", "a", "1")
            second = Server(STRATAD, first.data_dir)
            self.addCleanup(second.close)
            second.launch()
            self.assertEqual(second.process.wait(20), 1)
            self.assertIn(str(first.process.pid), second.log())
            self.assertIn(str(first.data_dir), second.log())
            self.assertNotIn("ready to serve", second.log())
            # The first one is not disturbed, and a third may follow it.
            first.must("put", "a", "2")
            self.assertEqual(first.stop(), 0)
            with Server(STRATAD, first.data_dir) as third:
                self.assertEqual(third.must("get", "a"), "a\n2\n")

    def test_directory_of_a_killed_one(self):
        with Server(STRATAD) as subject:
            subject.must("put", "a", "1")
            subject.kill()
            subject.start()
            self.assertEqual(subject.must("get", "a"), "a\n1\n")

    def test_etcd_on_the_directory(self):
        """Neither of us and etcd uses what the other holds."""
        with Server(server.ETCD) as first:
            second = Server(STRATAD, first.data_dir)
            self.addCleanup(second.close)
            second.launch()
            self.assertEqual(second.process.wait(20), 1)
            self.assertNotIn("ready to serve", second.log())
            first.must("put", "a", "1")

    def test_etcd_waits_for_us(self):
        with Server(STRATAD) as first:
            first.must("put", "a", "1")
            second = Server(server.ETCD, first.data_dir)
            self.addCleanup(second.close)
            second.launch()
            time.sleep(2)
            self.assertFalse(second.healthy())
            first.must("put", "a", "2")

    def test_wrong_flags(self):
        for wrong, right in (("--lisen-client-urls=http://127.0.0.1:1", "--listen-client-urls"),
                             ("--data-dri=x", "--data-dir"),
                             ("--snapshot-counts=5", "--snapshot-count")):
            code, said = run(wrong)
            self.assertNotEqual(code, 0, said)
            self.assertGreater(code, 0, said)
            self.assertIn(right, said)
        for wrong in ("--snapshot-count=many", "--listen-client-urls=nonsense", "--etcd-level=2.3"):
            root = server.scratch("strata-wrong-")
            self.addCleanup(shutil.rmtree, root, ignore_errors=True)
            code, said = run(wrong, f"--data-dir={root}")
            self.assertGreater(code, 0, f"{wrong}: {said}")
            self.assertNotIn("ready to serve", said)

    def test_environment(self):
        root = server.scratch("strata-environment-")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        port = server.free_port()
        environment = {**server.clean_environment(), "ETCD_DATA_DIR": str(root / "data"),
                       "ETCD_LISTEN_CLIENT_URLS": f"http://127.0.0.1:{port}",
                       "ETCD_ADVERTISE_CLIENT_URLS": f"http://127.0.0.1:{port}",
                       "ETCD_LISTEN_PEER_URLS": f"http://127.0.0.1:{server.free_port()}"}
        with open(root / "log", "wb") as log:
            process = subprocess.Popen([STRATAD], env=environment, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 20
        while "ready to serve" not in (root / "log").read_text():
            self.assertLess(time.monotonic(), deadline, (root / "log").read_text())
            time.sleep(0.02)
        self.assertTrue((root / "data" / "member" / "snap" / "db").exists())
        done = subprocess.run([server.ETCDCTL, f"--endpoints=127.0.0.1:{port}", "put", "a", "1"],
                              capture_output=True, text=True, env=server.clean_environment())
        self.assertEqual(done.stdout, "OK\n", done.stderr)

    def test_port_in_use(self):
        with Server(STRATAD) as first:
            root = server.scratch("strata-port-")
            self.addCleanup(shutil.rmtree, root, ignore_errors=True)
            code, said = run(f"--data-dir={root}", f"--listen-client-urls=http://{first.endpoint}",
                             f"--advertise-client-urls=http://{first.endpoint}",
                             f"--listen-peer-urls=http://127.0.0.1:{server.free_port()}")
            self.assertEqual(code, 1, said)
            self.assertIn(str(first.client_port), said)

    def test_stop_answers_what_was_begun(self):
        """SIGTERM under load: exit 0, soon, and nothing acknowledged is lost."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with Server(STRATAD) as subject:
                process = subprocess.Popen([WRITERS, subject.endpoint, "64", "load"], stdout=subprocess.PIPE, text=True)
                stopper = threading.Timer(0.5, subject.process.send_signal, [number])
                stopper.start()
                out, _ = process.communicate(timeout=60)
                self.assertEqual(subject.process.wait(20), 0, subject.log_tail())
                acked, unknown = ledger.parse(out)
                self.assertTrue(acked)
                subject.start()
                wrong, _ = ledger.check(subject, RPC_CALLS, acked, unknown)
                self.assertEqual(wrong, [])

    def test_stop_without_load(self):
        with Server(STRATAD) as subject:
            began = time.monotonic()
            self.assertEqual(subject.stop(), 0, subject.log_tail())
            self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    unittest.main()
