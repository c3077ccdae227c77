"""Which protocol is served where: port_test.py STRATAD

One port for gRPC, JSON and plain HTTP; ports of their own; unix sockets.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import server
from server import ETCD, Server

STRATAD = os.path.abspath(sys.argv.pop(1))


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--max-time", "5", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=15)


def ctl(endpoint, *arguments):
    return subprocess.run([server.ETCDCTL, "--endpoints=" + endpoint, "--dial-timeout=2s", "--command-timeout=3s",
                           *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          env=server.clean_environment(), timeout=15)


class PortTest(unittest.TestCase):
    def check_one_port(self, binary):
        with Server(binary) as subject:
            url = f"http://{subject.endpoint}"
            subject.must("put", "k", "v")
            answer = json.loads(curl("-d", '{"key":"aw=="}', url + "/v3/kv/range").stdout)
            self.assertEqual(answer["kvs"][0]["value"], "dg==")
            self.assertIn("etcdserver", json.loads(curl(url + "/version").stdout))
            self.assertEqual(json.loads(curl(url + "/health").stdout)["health"], "true")
            self.assertEqual(curl("-o", "/dev/null", "-w", "%{http_code}", url + "/none").stdout, b"404")
            # Two requests on one connection.
            both = curl("-v", url + "/version", url + "/health")
            self.assertIn(b"Re-using existing connection", both.stderr)
            # A watch in JSON goes on while others are served.
            log = subject.root / "watched"
            with open(log, "wb") as output:
                watch = subprocess.Popen(["curl", "-sSN", "--max-time", "10", "-d",
                                          '{"create_request":{"key":"dw==","start_revision":"1"}}',
                                          url + "/v3/watch"], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            try:
                subject.must("put", "w", "1")
                deadline = time.monotonic() + 10
                while b'"value":"MQ=="' not in log.read_bytes() and time.monotonic() < deadline:
                    time.sleep(0.02)
            finally:
                watch.kill()
                watch.wait()
            self.assertIn(b'"value":"MQ=="', log.read_bytes())

    def test_one_port_of_stratad(self):
        self.check_one_port(STRATAD)

    def test_one_port_of_etcd(self):
        self.check_one_port(ETCD)

    def test_http_on_a_port_of_its_own(self):
        port = server.free_port()
        with Server(STRATAD, flags=[f"--listen-client-http-urls=http://127.0.0.1:{port}"]) as subject:
            subject.must("put", "k", "v")
            self.assertIn("etcdserver", json.loads(curl(f"http://127.0.0.1:{port}/version").stdout))
            self.assertNotEqual(curl(f"http://{subject.endpoint}/version").returncode, 0)
            self.assertNotEqual(ctl(f"127.0.0.1:{port}", "get", "k").returncode, 0)
            subject.must("get", "k")

    def check_metrics_urls(self, binary):
        port = server.free_port()
        with Server(binary, flags=[f"--listen-metrics-urls=http://127.0.0.1:{port}"]) as subject:
            url = f"http://127.0.0.1:{port}"
            self.assertEqual(json.loads(curl(url + "/health").stdout)["health"], "true")
            for path in ("/version", "/v3/kv/range"):
                code = curl("-d", "{}", "-o", "/dev/null", "-w", "%{http_code}", url + path).stdout
                self.assertEqual(code, b"404", path)
            self.assertEqual(json.loads(curl(f"http://{subject.endpoint}/health").stdout)["health"], "true")

    def test_metrics_urls_of_stratad(self):
        self.check_metrics_urls(STRATAD)

    def test_metrics_urls_of_etcd(self):
        self.check_metrics_urls(ETCD)

    def check_unix(self, binary):
        """etcd's path of unix://localhost:1234 is localhost:1234, from where it was started."""
        root = server.scratch("strata-unix-")
        self.addCleanup(shutil.rmtree, root)
        tcp, name = server.free_port(), f"localhost:{server.free_port()}"
        before = os.getcwd()
        os.chdir(root)
        self.addCleanup(os.chdir, before)
        urls = f"unix://{name},http://127.0.0.1:{tcp}"
        with Server(binary, root / "data", flags=[f"--listen-client-urls={urls}"], client_port=tcp) as subject:
            self.assertEqual(ctl(f"unix://{name}", "put", "k", "v").returncode, 0)
            self.assertEqual(ctl(f"unix://{name}", "get", "k").stdout, b"k\nv\n")
            self.assertEqual(subject.must("get", "k"), "k\nv\n")
            answer = curl("--unix-socket", name, "http://localhost/version")
            self.assertIn(b"etcdserver", answer.stdout, answer.stderr)
            if server.is_ours(binary):
                # What a killed one left behind is in nobody's way; etcd 3.4 stops at it.
                subject.kill()
                subject.start()
                self.assertEqual(ctl(f"unix://{name}", "get", "k").stdout, b"k\nv\n")
            subject.stop()
            self.assertFalse((root / name).exists())

    def test_unix_of_stratad(self):
        self.check_unix(STRATAD)

    def test_unix_of_etcd(self):
        self.check_unix(ETCD)

    def test_unix_path(self):
        """Only what listens is replaced, and only if nobody does."""
        # Short: the name of a socket has 108 bytes.
        root = pathlib.Path(tempfile.mkdtemp(prefix="strata-unix-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, root)
        path = root / "a socket"
        tcp = server.free_port()
        flags = [f"--listen-client-urls=unix://{path},http://127.0.0.1:{tcp}"]
        with Server(STRATAD, flags=flags, client_port=tcp) as subject:
            self.assertIn(b"etcdserver", curl("--unix-socket", path, "http://localhost/version").stdout)
            self.refused(flags, "Address already in use")
            subject.stop()
        path.write_text("a file of somebody's")
        self.refused(flags, "Address already in use")
        self.assertEqual(path.read_text(), "a file of somebody's")

    def test_a_port_that_is_taken(self):
        with Server(STRATAD) as subject:
            said = self.refused([f"--listen-client-urls=http://{subject.endpoint}"], "Address already in use")
            self.assertIn(subject.endpoint, said)
            subject.must("get", "k")

    def refused(self, flags, words):
        second = Server(STRATAD, flags=flags)
        self.addCleanup(second.close)
        second.launch()
        self.assertEqual(second.process.wait(15), 1)
        self.assertIn(words, second.log())
        return second.log()

    def test_stops_with_connections_open(self):
        with Server(STRATAD) as subject:
            watch = subprocess.Popen(["curl", "-sSN", "--max-time", "20", "-d", '{"create_request":{"key":"dw=="}}',
                                      f"http://{subject.endpoint}/v3/watch"], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                time.sleep(0.3)
                began = time.monotonic()
                self.assertEqual(subject.stop(), 0)
                self.assertLess(time.monotonic() - began, 5)
            finally:
                watch.send_signal(signal.SIGKILL)
                watch.wait()


if __name__ == "__main__":
    unittest.main()
