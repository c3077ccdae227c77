"""Clients that mean no good: hostile_test.py STRATAD [--idle=N]

Connections that are half open, endless heads, slow reads and writes, stalled
handshakes, garbage, frames that are too large, thousands of idle connections:
each is cut off or costs little, and a client beside them is served all the time.
"""
import os
import pathlib
import random
import resource
import select
import shutil
import socket
import ssl
import struct
import sys
import threading
import time
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import certificates
import server
from server import Server

STRATAD = os.path.abspath(sys.argv.pop(1))
IDLE = int(next((sys.argv.pop(i)[len("--idle="):] for i, a in enumerate(sys.argv) if a.startswith("--idle=")), 2000))
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# What the server's own timeouts may take (10 s for a first word or a head), and some.
CUT_OFF_S = 25
# A connection that is idle may cost so much: without, and with TLS.
IDLE_BYTES = {False: 64 << 10, True: 160 << 10}


def frame(kind, payload=b"", stream=0, flags=0, length=None):
    """An HTTP/2 frame; `length` is what its head says, if not the truth."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


SETTINGS = frame(4)
HELLO = PREFACE + SETTINGS
DATA, HEADERS, RST_STREAM, PING = 0, 1, 3, 6
END_STREAM, END_HEADERS = 1, 4


def literal(name, value):
    """A header as HPACK has it without a table."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head(path, stream, more=(), flags=END_HEADERS):
    """The head of a gRPC call."""
    headers = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"),
               (b"content-type", b"application/grpc"), (b"te", b"trailers"), *more]
    return frame(HEADERS, b"".join(literal(*one) for one in headers), stream, flags)


def message(payload, stream, flags=END_STREAM):
    return frame(DATA, b"\0" + struct.pack(">I", len(payload)) + payload, stream, flags)


def call(path, payload, stream):
    return head(path, stream) + message(payload, stream)


class Bystander(threading.Thread):
    """Puts and gets as long as it lives, on connections of its own; `slowest_s` and `failed` say how it went."""

    def __init__(self, subject):
        super().__init__(daemon=True)
        self.subject, self.over = subject, threading.Event()
        self.done, self.slowest_s, self.failed = 0, 0.0, []

    def run(self):
        while not self.over.is_set():
            began = time.monotonic()
            put = self.subject.ctl("put", "bystander", str(self.done), "--command-timeout=10s")
            if put.returncode != 0:
                self.failed.append(put.stderr)
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.done += 1
            self.over.wait(0.1)


class Hostile(unittest.TestCase):
    """A server, and what is found out about it while its clients misbehave."""

    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        cls.root = server.scratch("strata-hostile-")
        ca = certificates.Authority(cls.root / "ca")
        pair = ca.issue("server", ["127.0.0.1"])
        cls.tls_port, cls.http_port = server.free_port(), server.free_port()
        cls.port = server.free_port()
        urls = f"http://127.0.0.1:{cls.port},https://127.0.0.1:{cls.tls_port}"
        cls.subject = Server(STRATAD, client_port=cls.port, flags=[
            f"--listen-client-urls={urls}", f"--listen-metrics-urls=http://127.0.0.1:{cls.http_port}",
            f"--cert-file={pair.cert}", f"--key-file={pair.key}", f"--grpc-memory-bytes={64 << 20}"])
        cls.subject.start()
        cls.ca = ca

    @classmethod
    def tearDownClass(cls):
        alive = cls.subject.process.poll() is None
        log = cls.subject.log()
        stopped = cls.subject.stop() if alive else None
        cls.subject.close()
        shutil.rmtree(cls.root)
        assert alive and stopped == 0, f"the server ended with {stopped}:\n{log[-3000:]}"

    def setUp(self):
        self.bystander = Bystander(self.subject)
        self.bystander.start()
        self.sockets = []

    def tearDown(self):
        self.bystander.over.set()
        self.bystander.join(20)
        for one in self.sockets:
            one.close()
        self.assertEqual(self.bystander.failed, [])
        self.assertGreater(self.bystander.done, 0)
        self.assertLess(self.bystander.slowest_s, 5, "a client beside them had to wait")

    def connect(self, port, first=b""):
        one = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.sockets.append(one)
        if first:
            one.sendall(first)
        return one

    def memory(self):
        """Bytes of the server's own, without what is mapped from files. 0 under a sanitizer, which keeps more."""
        if "ASAN_OPTIONS" in os.environ:
            return 0
        status = pathlib.Path(f"/proc/{self.subject.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.subject.process.pid}/fd"))

    def cut_off(self, sockets, within_s=CUT_OFF_S):
        """All of them were ended by the server; what they were sent."""
        deadline = time.monotonic() + within_s
        answers, waiting = {one: b"" for one in sockets}, list(sockets)
        while waiting:
            left = deadline - time.monotonic()
            self.assertGreater(left, 0, f"{len(waiting)} of {len(sockets)} were not cut off")
            for one in select.select(waiting, [], [], left)[0] if len(waiting) < 1000 else waiting:
                try:
                    piece = one.recv(65536)
                except ConnectionError:
                    piece = b""
                answers[one] += piece
                if not piece:
                    waiting.remove(one)
        return list(answers.values())

    def gone(self, before):
        """What the server has open has come back to what it was."""
        deadline = time.monotonic() + 10
        while self.descriptors() > before + 10 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertLessEqual(self.descriptors(), before + 10)

    def secured(self, context):
        """A connection with TLS."""
        plain = self.connect(self.tls_port)
        self.sockets[-1] = context.wrap_socket(plain, server_hostname="127.0.0.1")
        return self.sockets[-1]


class HostileTest(Hostile):
    # --- connections that say nothing, or not enough ---

    def silent(self):
        """On every port: nothing, a part of each protocol's beginning, a part of a handshake."""
        firsts = [b"", b"P", PREFACE[:10], PREFACE, HELLO[:-1], b"GET /vers", b"\x16\x03\x01",
                  b"\x16\x03\x01\x02\x00\x01"]
        return [self.connect(port, first) for port in (self.port, self.tls_port, self.http_port)
                for first in firsts for _ in range(20)]

    def silent_after_handshakes(self):
        context = ssl.create_default_context(cafile=self.ca.cert)
        silent = []
        for protocols in (["h2"], ["http/1.1"]):
            context.set_alpn_protocols(protocols)
            silent += [self.secured(context) for _ in range(10)]
        return silent

    def garbage(self):
        chance = random.Random(1)
        garbage = [chance.randbytes(3000), b"\0" * 3000, b"\r\n" * 500, b"\xff" * 3000, b"A" * 100_000,
                   HELLO + chance.randbytes(3000), b"\x16\x03\x01\xff\xff" + chance.randbytes(3000),
                   b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"]
        thrown = []
        for port in (self.port, self.tls_port, self.http_port):
            for one in garbage:
                thrown.append(self.connect(port))
                try:
                    thrown[-1].sendall(one)
                except ConnectionError:
                    pass  # it has seen enough
        return thrown

    def drip(self, slow, gone):
        """Sends each of `slow` byte by byte; once it is cut off it is in `gone`."""
        deadline = time.monotonic() + CUT_OFF_S
        while len(gone) < len(slow) and time.monotonic() < deadline:
            for one in [one for one in slow if one not in gone]:
                try:
                    one.sendall(b"x")
                    if select.select([one], [], [], 0)[0] and not one.recv(1000):
                        gone.append(one)
                except ConnectionError:
                    gone.append(one)
            time.sleep(0.2)

    def test_cut_off(self):
        """Silence, garbage, and heads that come byte by byte, which are as late as those that do not come."""
        before = self.descriptors()
        slow = [self.connect(self.port, b"GET /version HTTP/1.1\r\nX: ") for _ in range(20)]
        gone = []
        dripping = threading.Thread(target=self.drip, args=(slow, gone), daemon=True)
        dripping.start()
        self.cut_off(self.silent() + self.silent_after_handshakes() + self.garbage())
        dripping.join(CUT_OFF_S)
        self.assertEqual(len(gone), len(slow), "heads that drip were not cut off")
        self.gone(before)

    # --- heads and bodies without an end ---

    def flood(self, first, piece, limit):
        """Sends `piece` after `first` until it is cut off; how many bytes that took."""
        one = self.connect(self.port)
        sent = 0
        try:
            one.sendall(first)
            while sent < limit:
                one.sendall(piece)
                sent += len(piece)
        except (ConnectionError, TimeoutError):
            pass
        return sent

    def test_endless_heads(self):
        before = self.memory()
        line = b"X-Header: " + b"x" * 1000 + b"\r\n"
        for first, piece in ((b"GET / HTTP/1.1\r\n", line), (b"GET /", b"a" * 1000),
                             (b"POST /v3/kv/put HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 1000)):
            # What lies in the kernel's buffers counts too.
            self.assertLess(self.flood(first, piece, 50 << 20), 20 << 20)
        self.assertLess(self.memory() - before, 16 << 20)

    def test_endless_body(self):
        before = self.memory()
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        head = b"POST /v3/kv/put HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertLess(self.flood(head, chunk, 200 << 20), 60 << 20)
        self.assertLess(self.memory() - before, 40 << 20)

    def test_oversize_frames(self):
        """Frames above what we have said we take."""
        for bad in (frame(0, b"", stream=1, length=0xffffff), frame(9, b"", stream=1, length=0xffffff),
                    frame(4, b"", length=0xffffff)):
            before = self.memory()
            sent = self.flood(HELLO + bad, b"x" * 65536, 100 << 20)
            self.assertLess(sent, 100 << 20, "never cut off")
            self.assertLess(self.memory() - before, 32 << 20)

    def test_a_head_without_an_end(self):
        """A gRPC call's head that goes on for ever, in CONTINUATION frames."""
        header = b"\x00\x01a\x7f" + b"\xe9\x06" + b"x" * 1000
        before = self.memory()
        self.flood(HELLO + frame(1, header, stream=1), frame(9, header * 16, stream=1), 100 << 20)
        self.assertLess(self.memory() - before, 32 << 20)

    # --- clients that do not read ---

    def test_slow_reader(self):
        """Asks for far more than it reads: what waits for it is bounded."""
        value = "x" * 1_000_000
        for number in range(8):
            self.assertEqual(self.subject.ctl("put", f"large/{number}", stdin=value.encode()).returncode, 0)
        before = self.memory()
        body = b'{"key":"bGFyZ2Uv","range_end":"bGFyZ2Uw"}'
        ask = b"POST /v3/kv/range HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        one = self.connect(self.port)
        one.settimeout(1)
        try:
            for _ in range(2000):  # pipelined
                one.sendall(ask)
        except (TimeoutError, ConnectionError):
            pass
        time.sleep(2)
        self.assertLess(self.memory() - before, 100 << 20)
        one.close()
        self.subject.ctl("del", "large/", "--prefix")

    def test_slow_reader_of_calls(self):
        """The same with gRPC: calls whose answers its window does not let through."""
        for number in range(8):
            self.subject.ctl("put", f"large/{number}", stdin=b"x" * 1_000_000)
        before = self.memory()
        one = self.connect(self.port, HELLO)
        one.settimeout(5)
        ask = b"\x0a\x06large/\x12\x06large0"
        for stream in range(1, 1001, 2):
            one.sendall(call(b"/etcdserverpb.KV/Range", ask, stream))
        time.sleep(2)
        # 4 GB of answers were asked for. Until their size is known, 16 calls are served; of their answers those
        # are refused for which there is no room.
        self.assertLess(self.memory() - before, 200 << 20)
        one.close()
        self.subject.ctl("del", "large/", "--prefix")

    # --- calls that are not meant ---

    def ended(self, first, piece, limit):
        """That a flood is ended, or answered for ever without the memory growing."""
        before = self.memory()
        sent = self.flood(first, piece, limit)
        self.assertLess(self.memory() - before, 32 << 20)
        return sent

    def test_calls_begun_and_reset(self):
        """"Rapid reset": begins calls and takes them back."""
        def resets(stream):
            return head(b"/etcdserverpb.KV/Range", stream) + frame(RST_STREAM, struct.pack(">I", 8), stream)
        flood = b"".join(resets(stream) for stream in range(1, 100_001, 2))
        self.assertLess(self.ended(HELLO + flood, SETTINGS, 1 << 20), 1 << 20, "never cut off")

    def test_floods_that_ask_for_answers(self):
        """Pings and settings, each of which wants an answer, which is not read."""
        ping = frame(PING, b"12345678")
        for piece in (ping * 1000, SETTINGS * 1000):
            self.assertLess(self.ended(HELLO, piece, 50 << 20), 50 << 20, "never cut off")

    def test_refusals_that_are_not_read(self):
        """Calls of no method, each refused in other words: what is refused is not kept for ever."""
        before = self.memory()
        one = socket.socket()
        self.sockets.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.settimeout(3)
        one.connect(("127.0.0.1", self.port))
        one.sendall(HELLO)
        try:
            for first in range(1, 600_001, 1000):
                one.sendall(b"".join(head(b"/%080d/x" % stream, stream, flags=END_HEADERS | END_STREAM)
                                     for stream in range(first, first + 1000, 2)))
        except (ConnectionError, TimeoutError):
            pass  # it is not read from, or cut off
        grown = self.memory() - before
        self.assertLess(grown, 48 << 20)
        # And if it reads after all, all goes on.
        one.settimeout(5)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        answers = 0
        while answers < 4 << 20:
            piece = one.recv(1 << 20)
            self.assertTrue(piece, "cut off")
            answers += len(piece)

    def test_too_many_pings(self):
        """As a Go server does: the fourth ping in a row that comes too soon is the last."""
        one = self.connect(self.port, HELLO + frame(PING, b"12345678") * 4)
        self.assertIn(b"too_many_pings", self.cut_off([one], 5)[0])

    def test_calls_that_never_come(self):
        """Heads without a message, parts of messages, and lengths that are not kept."""
        part = b"\0" + struct.pack(">I", 1 << 20) + b"x" * 100
        before = self.memory()
        one = self.connect(self.port, HELLO)
        for stream in range(1, 4001, 2):
            one.sendall(head(b"/etcdserverpb.KV/Put", stream) + frame(DATA, part, stream))
        time.sleep(1)
        self.assertLess(self.memory() - before, 2000 * (16 << 10))

    def test_calls_with_endless_time(self):
        """Nothing is kept of calls that have ended, however long they might have taken."""
        one = self.connect(self.port, HELLO)
        before = self.memory()
        for first in range(1, 80_001, 500):
            one.sendall(b"".join(head(b"/etcdserverpb.Lease/LeaseKeepAlive", stream, [(b"grpc-timeout", b"99999999H")],
                                      END_HEADERS | END_STREAM) for stream in range(first, first + 500, 2)))
            answers = b""
            while answers.count(b"\x01\x05") < 250:  # HEADERS that end a stream
                answers += one.recv(65536)
        self.assertLess(self.memory() - before, 8 << 20)


class Idle(Hostile):
    def idle(self, secure):
        """IDLE connections that have begun to speak HTTP/2 and say no more."""
        context = ssl.create_default_context(cafile=self.ca.cert)
        context.set_alpn_protocols(["h2"])
        count = IDLE // 4 if secure else IDLE
        before, descriptors = self.memory(), self.descriptors()
        began = time.monotonic()
        for _ in range(count):
            (self.secured(context) if secure else self.connect(self.port)).sendall(HELLO)
        took = time.monotonic() - began
        time.sleep(1)
        # But for a connection of the client beside them.
        self.assertGreater(self.descriptors() - descriptors, count - 10)
        each = (self.memory() - before) / count
        print(f"{count} idle connections{' with TLS' if secure else ''}: {each / 1024:.1f} KiB each, {took:.1f} s")
        self.assertLess(each, IDLE_BYTES[secure])
        for one in self.sockets:
            one.close()
        self.gone(descriptors)


class IdleTest(Idle):
    def test_idle(self):
        self.idle(secure=False)


class IdleTlsTest(Idle):
    def test_idle(self):
        self.idle(secure=True)


class LimitTest(unittest.TestCase):
    def test_more_connections_than_descriptors(self):
        """Those beyond are closed at once, and said so of; those there are go on."""
        with Server(STRATAD, wrap=["prlimit", "--nofile=400:400"]) as subject:
            kept = socket.create_connection(("127.0.0.1", subject.client_port), timeout=5)
            ask = b"GET /version HTTP/1.1\r\n\r\n"
            kept.sendall(ask)
            self.assertIn(b"200 OK", kept.recv(4096))
            flood = [socket.create_connection(("127.0.0.1", subject.client_port), timeout=5) for _ in range(500)]
            closed = 0
            for one in flood[300:]:
                try:
                    closed += one.recv(1) == b""
                except TimeoutError:
                    break
                except ConnectionError:
                    closed += 1
            self.assertEqual(closed, 200)
            self.assertIn("too many connections", subject.log())
            kept.sendall(ask)
            self.assertIn(b"200 OK", kept.recv(4096))
            kept.close()
            for one in flood:
                one.close()
            subject.must("put", "after", "all")


if __name__ == "__main__":
    unittest.main()
