"""Leases, locks, elections and snapshots by etcdctl, on etcd and on ours.

Each test runs against both servers and expects the same: what holds for etcd
holds for us.
"""
import os
import pathlib
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path.insert(0, str(HERE.parent / "harness"))

from server import ETCD, ETCDCTL, Server, clean_environment, scratch

BINARIES = [ETCD, os.path.abspath(sys.argv.pop(1))]


def etcdctl(server, *args, **kwargs):
    return subprocess.run([ETCDCTL, f"--endpoints={server.endpoint}", *args], check=True, text=True,
                          env=clean_environment(), capture_output=True, timeout=60, **kwargs).stdout


def start(server, *args):
    return subprocess.Popen([ETCDCTL, f"--endpoints={server.endpoint}", *args], text=True,
                            env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def grant(server, seconds):
    return etcdctl(server, "lease", "grant", str(seconds)).split()[1]


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


class SessionTest(unittest.TestCase):
    def on_both(self, check):
        for binary in BINARIES:
            with self.subTest(binary), Server(binary) as server:
                check(server)

    def test_a_lease_ends_unless_it_is_kept(self):
        def check(server):
            lost, kept = grant(server, 2), grant(server, 2)
            etcdctl(server, "put", "lost", "1", "--lease=" + lost)
            etcdctl(server, "put", "kept", "1", "--lease=" + kept)
            keeper = start(server, "lease", "keep-alive", kept)
            begun = time.monotonic()
            wait_for(lambda: etcdctl(server, "get", "lost") == "")
            self.assertGreaterEqual(time.monotonic() - begun, 1)
            time.sleep(3)
            self.assertEqual(etcdctl(server, "get", "kept"), "kept\n1\n")
            keeper.kill()
            keeper.communicate()
            wait_for(lambda: etcdctl(server, "get", "kept") == "")
        self.on_both(check)

    def test_a_lease_and_its_keys_survive_a_kill(self):
        def check(server):
            lease = grant(server, 3)
            etcdctl(server, "put", "k", "1", "--lease=" + lease)
            server.kill()
            server.start()
            self.assertIn("attached keys([k])", etcdctl(server, "lease", "timetolive", lease, "--keys"))
            wait_for(lambda: etcdctl(server, "get", "k") == "")
        self.on_both(check)

    def test_a_lock_goes_to_one_after_the_other(self):
        def check(server):
            first = start(server, "lock", "l", "sleep", "2")
            wait_for(lambda: etcdctl(server, "get", "l/", "--prefix", "--keys-only") != "")
            begun = time.monotonic()
            second = start(server, "lock", "l", "echo", "mine")
            self.assertEqual(second.communicate(timeout=30)[0], "mine\n")
            self.assertGreater(time.monotonic() - begun, 1)
            first.communicate(timeout=30)
            self.assertEqual(etcdctl(server, "get", "l/", "--prefix"), "")
        self.on_both(check)

    def test_who_dies_loses_the_lock_with_its_lease(self):
        def check(server):
            # Its command lives on for a while, so it must not hold a pipe of ours.
            holder = subprocess.Popen([ETCDCTL, f"--endpoints={server.endpoint}", "lock", "l", "--ttl=2", "sleep", "20"],
                                      env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for(lambda: etcdctl(server, "get", "l/", "--prefix", "--keys-only") != "")
            holder.kill()
            holder.wait()
            self.assertEqual(start(server, "lock", "l", "echo", "mine").communicate(timeout=30)[0], "mine\n")
        self.on_both(check)

    def test_observers_hear_of_each_leader(self):
        def check(server):
            heard = scratch("session-") / "heard"

            def elect(*args, out=subprocess.DEVNULL):
                process = subprocess.Popen([ETCDCTL, f"--endpoints={server.endpoint}", "elect", *args],
                                           env=clean_environment(), stdout=out, stderr=subprocess.DEVNULL)
                self.addCleanup(process.wait)
                self.addCleanup(process.kill)
                return process

            def claims():
                return etcdctl(server, "get", "e/", "--prefix", "--keys-only").split()

            with open(heard, "wb") as out:
                elect("-l", "e", out=out)
            first = elect("e", "one")
            wait_for(lambda: heard.read_text().split()[1::2] == ["one"])
            elect("e", "two")
            wait_for(lambda: len(claims()) == 2)
            self.assertEqual(heard.read_text().split()[1::2], ["one"])  # the second waits
            first.terminate()
            wait_for(lambda: heard.read_text().split()[1::2] == ["one", "two"])
        self.on_both(check)

    def test_a_snapshot_is_restored_by_etcdctl(self):
        def check(server):
            for i in range(20):
                etcdctl(server, "put", f"k{i}", "v" * i)
            directory = scratch("session-")
            saved = str(directory / "saved.db")
            etcdctl(server, "snapshot", "save", saved)
            etcdctl(server, "put", "later", "1")
            etcdctl(server, "snapshot", "restore", saved, "--data-dir", str(directory / "data"))
            with Server(ETCD, data_dir=directory / "data") as restored:
                self.assertEqual(etcdctl(restored, "get", "k", "--prefix"), etcdctl(server, "get", "k", "--prefix"))
                self.assertEqual(etcdctl(restored, "get", "later"), "")
        self.on_both(check)


if __name__ == "__main__":
    unittest.main()
