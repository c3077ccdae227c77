"""That flags do what they say: flags_test.py STRATAD SPOIL_DB [--ignored]

Of flags whose effect no other test shows. Each test fails if its flag is not
looked at; --ignored shows that: the servers do not get the flags, and every test
must fail.
"""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import resource
import shutil
import socket
import struct
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import certificates
import cluster
import server
from server import Server

IGNORED = sys.argv[-1] == "--ignored" and bool(sys.argv.pop())
SPOIL_DB = os.path.abspath(sys.argv.pop(2))
STRATAD = os.path.abspath(sys.argv.pop(1))


MEGABYTE = 1 << 20


def given(*flags):
    return [] if IGNORED else list(flags)


def ask(subject, path, body=None, headers=(), timeout_s=5):
    """Status, text and headers of one HTTP request."""
    request = urllib.request.Request(f"http://{subject.endpoint}{path}", headers=dict(headers),
                                     data=None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def metric(subject, name):
    """The sum over all labels."""
    lines = ask(subject, "/metrics")[1].splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def within(seconds, condition):
    """Whether it became true in time."""
    with contextlib.suppress(server.ServerError):
        return bool(cluster.wait("it", condition, seconds))
    return False


def database(subject):
    return subject.data_dir / "member/snap/db"


def proc(subject, name):
    return pathlib.Path(f"/proc/{subject.process.pid}/{name}").read_text()


def refused(*flags):
    """What a start says that ends with an error at once; empty if it goes on."""
    root = server.scratch("strata-flags-")
    urls = [f"--listen-client-urls=http://127.0.0.1:{server.free_port()}",
            f"--listen-peer-urls=http://127.0.0.1:{server.free_port()}", "--advertise-client-urls=http://127.0.0.1:1"]
    try:
        done = subprocess.run([STRATAD, f"--data-dir={root}/data", *urls, *flags], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=2, env=server.clean_environment())
        return done.stdout + done.stderr if done.returncode != 0 else ""
    except subprocess.TimeoutExpired:
        return ""
    finally:
        shutil.rmtree(root, ignore_errors=True)


class Http2:
    """As much of a client as shows how a server takes frames."""

    def __init__(self, subject):
        self.socket = socket.create_connection((subject.host, subject.client_port), timeout=5)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.send(4, 0, 0, b"")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, kind, flags, stream, payload):
        self.socket.sendall(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
                            + payload)

    def frames(self):
        """(kind, payload), until nothing comes for the socket's timeout or it ends."""
        data = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while True:
                while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
                    more = self.socket.recv(65536)
                    if not more:
                        return
                    data += more
                end = 9 + int.from_bytes(data[:3], "big")
                yield data[3], data[9:end]
                data = data[end:]

    def begin_watch(self, subject):
        """A call that stays open."""
        fields = ((":method", "POST"), (":scheme", "http"), (":path", "/etcdserverpb.Watch/Watch"),
                  (":authority", subject.endpoint), ("content-type", "application/grpc"), ("te", "trailers"))
        block = b""
        for name, value in fields:
            block += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        self.send(1, 4, 1, block)


class Case(unittest.TestCase):
    parts = {}  # of the tests that have some

    def part(self, name):
        """A flag's own part of a test."""
        Case.parts.setdefault(self.id(), []).append(f"{self.id()} [{name}]")
        return self.subTest(name)


class OfOneMember(Case):
    """Two servers for all: one with the flags and one without."""

    @classmethod
    def setUpClass(cls):
        cls.root = server.scratch("strata-flags-")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.plain = cls.begin([])
        cls.subject = cls.begin(given(
            "--max-txn-ops=3", "--max-request-bytes=2000", "--watch-progress-notify-interval=200ms",
            "--initial-cluster-token=of-the-test", "--backend-page-size=8192",
            "--backend-initial-mmap-size=300000000", "--cors=http://good.example",
            "--host-whitelist=127.0.0.1,good.example", "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=1s", "--max-concurrent-streams=7", "--grpc-keepalive-min-time=1ms",
            "--grpc-threads=3", "--idle-poll-time=1ms", f"--wal-dir={cls.root}/log", "--warning-apply-duration=1ns",
            "--warning-unary-request-duration=1ns", "--snapshot-count=10", "--max-snapshots=2",
            "--scrub-pause=200ms", "--log-format=console"))

    @classmethod
    def begin(cls, flags):
        subject = Server(STRATAD, flags=flags, level="3.5")
        cls.addClassCleanup(subject.close)
        subject.start()
        return subject

    def put(self, key, value="v", subject=None):
        return (subject or self.subject).ctl("put", key, value)

    def test_max_txn_ops(self):
        def txn(ops):
            lines = "".join(f"put txn{number} x\n" for number in range(ops))
            return self.subject.ctl("txn", stdin=f"\n{lines}\n\n".encode())
        self.assertEqual(txn(3).returncode, 0)
        self.assertIn(b"etcdserver: too many operations in txn request", txn(4).stderr)

    def test_max_request_bytes(self):
        self.assertEqual(self.put("fits", "v" * 1500).returncode, 0)
        self.assertIn(b"etcdserver: request is too large", self.put("large", "v" * 2500).stderr)

    def test_watch_progress_notify_interval(self):
        body = json.dumps({"create_request": {"key": "bm9uZQ==", "progress_notify": True}}).encode()
        with urllib.request.urlopen(f"http://{self.subject.endpoint}/v3/watch", body, timeout=3) as answer:
            self.assertIn("created", json.loads(answer.readline())["result"])
            notice = json.loads(answer.readline())["result"]
        self.assertNotIn("created", notice)
        self.assertNotIn("events", notice)

    def test_initial_cluster_token(self):
        ids = [json.loads(one.must("endpoint", "status", "--write-out=json"))[0]["Status"]["header"]["cluster_id"]
               for one in (self.subject, self.plain)]
        self.assertNotEqual(*ids)

    def test_backend_page_size(self):
        # Behind the page's head, bbolt's magic and version.
        self.assertEqual(struct.unpack_from("<I", database(self.subject).read_bytes(), 24)[0], 8192)

    def test_backend_initial_mmap_size(self):
        mapped = next(line for line in proc(self.subject, "maps").splitlines() if line.endswith("snap/db"))
        begin, end = (int(part, 16) for part in mapped.split()[0].split("-"))
        self.assertAlmostEqual(end - begin, 300_000_000, delta=65536)

    def test_cors(self):
        for origin, allowed in (("http://good.example", "http://good.example"), ("http://bad.example", None)):
            headers = ask(self.subject, "/version", headers={"Origin": origin})[2]
            self.assertEqual(headers.get("Access-Control-Allow-Origin"), allowed)

    def test_host_whitelist(self):
        self.assertEqual(ask(self.subject, "/version", headers={"Host": "good.example"})[0], 200)
        self.assertNotEqual(ask(self.subject, "/version", headers={"Host": "bad.example"})[0], 200)

    def test_auto_compaction(self):
        self.assertEqual(self.put("old", "1").returncode, 0)
        revision = json.loads(self.subject.must("get", "old", "--write-out=json"))["header"]["revision"]
        self.put("old", "2")

        def compacted():
            return b"has been compacted" in self.subject.ctl("get", "old", f"--rev={revision}").stderr
        self.assertFalse(compacted())
        self.assertTrue(within(5, compacted))

    def test_max_concurrent_streams(self):
        with Http2(self.subject) as client:
            settings = next(payload for kind, payload in client.frames() if kind == 4)
        values = dict(struct.unpack_from(">HI", settings, at) for at in range(0, len(settings), 6))
        self.assertEqual(values.get(3), 7)

    def test_grpc_keepalive_min_time(self):
        """Ten pings in a second, while a call is open."""
        with Http2(self.subject) as client:
            client.begin_watch(self.subject)
            for _ in range(10):
                client.send(6, 0, 0, b"strata..")
                time.sleep(0.05)
            client.socket.settimeout(0.3)
            kinds = [kind for kind, _ in client.frames()]
        self.assertEqual(kinds.count(6), 10, "not all were answered")
        self.assertNotIn(7, kinds, "the server said goodbye")

    def threads(self, subject):
        for task in pathlib.Path(f"/proc/{subject.process.pid}/task").iterdir():
            yield int(task.name), (task / "comm").read_text().strip()

    def test_grpc_threads(self):
        counts = [sum(name.startswith("grpc-") for _, name in self.threads(one)) for one in (self.subject, self.plain)]
        self.assertGreater(*counts)

    def test_idle_poll_time(self):
        policies = [os.sched_getscheduler(task) for task, _ in self.threads(self.subject)]
        self.assertEqual(policies.count(os.SCHED_IDLE), 2)

    def test_wal_dir(self):
        self.assertTrue(list((self.root / "log").glob("*.wal")))
        self.assertFalse((self.subject.data_dir / "member/wal").exists())

    def test_warning_durations(self):
        self.put("slow")
        self.assertTrue(within(5, lambda: "apply request took too long" in self.subject.log()))
        self.assertTrue(within(5, lambda: "request stats" in self.subject.log()))

    def test_snapshot_count_and_max_snapshots(self):
        def snapshots():
            return [path.name for path in (self.subject.data_dir / "member/snap").glob("*.snap")]
        seen = set()
        for _ in range(6):
            for _ in range(11):
                ask(self.subject, "/v3/kv/put", {"key": "c25hcA==", "value": "dg=="})
            before = len(seen)
            within(2, lambda: seen.update(snapshots()) or len(seen) > before)
        self.assertGreater(len(seen), 3, "one for every ten changes")
        self.assertTrue(within(5, lambda: len(snapshots()) == 2), snapshots())

    def test_scrub_pause(self):
        before = metric(self.subject, "strata_scrub_passes_total")
        self.assertTrue(within(5, lambda: metric(self.subject, "strata_scrub_passes_total") > before + 2))

    def test_log_format(self):
        self.assertFalse(self.subject.log().startswith("{"), self.subject.log()[:100])


class OfAnother(Case):
    def begin(self, *flags, **more):
        subject = Server(STRATAD, flags=flags, level="3.5", **more)
        self.addCleanup(subject.close)
        subject.start()
        return subject

    def test_quota_gateway_log_scrub_and_lock(self):
        root = server.scratch("strata-flags-")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        lockable = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
        lock = lockable == resource.RLIM_INFINITY or lockable >= 8 * MEGABYTE
        subject = self.begin(*given("--quota-backend-bytes=200000", "--enable-grpc-gateway=false",
                                    f"--log-outputs={root}/log", "--log-level=error", "--scrub-bytes-per-second=0",
                                    *(["--memory-mlock", f"--backend-initial-mmap-size={MEGABYTE}"] if lock else [])))
        if lock:
            with self.part("lock"):
                self.assertGreater(int(proc(subject, "status").split("VmLck:")[1].split()[0]), 0)
        with self.part("gateway"):
            self.assertEqual(ask(subject, "/v3/kv/range", {"key": "aw=="})[0], 404)
        with self.part("scrub"):
            time.sleep(0.5)
            self.assertEqual(metric(subject, "strata_scrub_passes_total"), 0)
        with self.part("quota"):
            said = b"".join(subject.ctl("put", f"big{number}", "v" * 100_000).stderr for number in range(4))
            self.assertIn(b"etcdserver: mvcc: database space exceeded", said)
        with self.part("log"):
            self.assertTrue((root / "log").exists())
            self.assertNotIn('"info"', (root / "log").read_text())
            self.assertEqual(subject.log(), "", "it went into the file")

    def test_socket_reuse(self):
        """Two on one port, if both want it; and a port that has just been used."""
        port = server.free_port()
        flags = given("--socket-reuse-port", "--socket-reuse-address")
        first = self.begin(*flags, client_port=port)
        second = Server(STRATAD, flags=flags, level="3.5", client_port=port)
        self.addCleanup(second.close)
        second.launch()
        self.assertTrue(within(5, lambda: "ready to serve" in second.log()), second.log_tail())
        self.assertIsNone(first.process.poll())
        # The end that closes first waits for the other: here the server.
        second.kill()
        with Http2(first):
            first.stop()
        first.start()

    def test_shrinking(self):
        keep = ["--backend-auto-shrink-bytes=100000", "--backend-auto-shrink-percent=0"]
        subject = self.begin(*given(*keep))

        def fill_and_empty():
            for number in range(20):
                subject.must("put", f"big{number}", "v" * 100_000)
            revision = json.loads(subject.must("del", "big", "--prefix", "--write-out=json"))["header"]["revision"]
            subject.must("compact", str(revision), "--physical")

        def size():
            return os.path.getsize(database(subject))
        fill_and_empty()
        time.sleep(1)
        self.assertGreater(size(), 2_000_000, "it shrank although it was not to")
        subject.stop()
        subject.flags = given(*keep, "--bootstrap-defrag-threshold-megabytes=1")
        subject.start()
        self.assertLess(size(), 1_000_000, "it was to shrink at the start")
        fill_and_empty()
        subject.stop()
        subject.flags = given("--backend-auto-shrink-bytes=100000", "--backend-auto-shrink-percent=10")
        subject.start()
        self.assertTrue(within(10, lambda: size() < 1_000_000), f"{size()} bytes: it was to shrink by itself")

    def test_config_file(self):
        root = server.scratch("strata-flags-")
        self.addCleanup(shutil.rmtree, root, ignore_errors=True)
        port = server.free_port()
        (root / "config").write_text(
            f"name: of-the-file\ndata-dir: {root}/data\nlisten-client-urls: http://127.0.0.1:{port}\n"
            f"advertise-client-urls: http://127.0.0.1:{port}\nlisten-peer-urls: http://127.0.0.1:{server.free_port()}\n"
            "initial-advertise-peer-urls: http://127.0.0.1:1\ninitial-cluster: of-the-file=http://127.0.0.1:1\n")
        subject = Server(STRATAD, flags=given(f"--config-file={root}/config"), level=None)
        self.addCleanup(subject.close)
        subject.launch()
        subject.client_port = port
        self.assertTrue(within(5, subject.healthy), subject.log_tail())
        self.assertIn("of-the-file", subject.must("member", "list"))

    def test_feature_gates(self):
        self.assertIn("unrecognized feature gate: Nonsense", refused(*given("--feature-gates=Nonsense=true")))
        self.assertIn("requires experimental-enable-lease-checkpoint",
                      refused(*given("--feature-gates=LeaseCheckpointPersist=true")))


class OfSeveral(Case):
    def begin(self, count, *flags, **more):
        return cluster.Cluster([STRATAD] * count, flags=given(*flags), level="3.5", **more)

    def test_gates_of_corruption_checks(self):
        often = ["--experimental-compact-hash-check-time=500ms"]
        with self.begin(2, "--feature-gates=CompactHashCheck=true,InitialCorruptCheck=true", *often) as some:
            leader, victim = some.leader(), some.follower()
            for number in range(5):
                leader.must("put", f"key{number}", "value")
            some.check_equal()
            victim.stop()
            done = subprocess.run([SPOIL_DB, str(database(victim)), "key3"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            victim.launch()
            self.assertTrue(within(10, lambda: not victim.running()), "a member with wrong keys starts")
            self.assertIn("found data inconsistency with peers", victim.log_tail())
            # Without the check at the start, the one after a compaction finds it.
            victim.flags = []
            victim.start()
            some.leader().must("compact", "5")
            self.assertTrue(within(10, lambda: b"CORRUPT" in some.leader().ctl("alarm", "list").stdout))

    def test_max_learners(self):
        with self.begin(1, "--max-learners=2") as some:
            for number in range(3):
                done = some.ctl("member", "add", f"l{number}", "--learner", f"--peer-urls=http://127.0.0.1:{1 + number}")
                if number < 2:
                    self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(b"etcdserver: too many learner members in cluster", done.stderr)

    def test_elections_and_changes(self):
        """Short timers, no pre-vote, no check before a change of members."""
        with self.begin(3, "--heartbeat-interval=20", "--election-timeout=150", "--pre-vote=false",
                        "--strict-reconfig-check=false") as some:
            leader = some.leader()
            rest = [member for member in some.members if member is not leader]
            with self.part("heartbeat-interval"):
                # Nothing else is sent now. One of 100 ms sends a fifth of it, at
                # any time; a busy machine sends all of it at times, and may change leaders.
                self.assertTrue(within(20, lambda: self.heartbeats(some.leader()) > 2 * HEARTBEAT_BYTES * 30))
            with self.part("strict-reconfig-check"):
                rest[0].kill()
                time.sleep(0.5)
                done = leader.ctl("member", "remove", f"{rest[1].id():x}")
                self.assertEqual(done.returncode, 0, done.stderr)
            with self.part("pre-vote, election-timeout"):
                # Alone it can win no election; only who does not ask first holds
                # them all the same, some in each second.
                self.assertTrue(within(20, lambda: self.elections(leader) > 4))

    def heartbeats(self, leader):
        """Bytes of them in a second, of half a second."""
        name, began = "etcd_network_peer_sent_bytes_total", time.monotonic()
        before = metric(leader, name)
        time.sleep(0.5)
        return (metric(leader, name) - before) / (time.monotonic() - began)

    def elections(self, member):
        """In two seconds."""
        term = member.status()["raftTerm"]
        time.sleep(2)
        return member.status()["raftTerm"] - term

    def test_sending_of_snapshots(self):
        flags = ["--snapshot-send-bytes-per-second=2000000", "--snapshot-send-compressed=false", "--snapshot-count=10",
                 "--snapshot-catchup-entries=1"]
        with self.begin(1, *flags) as some:
            first = some.members[0]
            for number in range(40):
                first.must("put", f"key{number}", "v" * 100_000)
            began = time.monotonic()
            learner = some.add(STRATAD)
            learner.wait("all keys", lambda: learner.ctl("get", "key39", "--consistency=s", "--keys-only").stdout.strip())
            took = time.monotonic() - began
            print(f"a snapshot of 4 MB took {took:.1f} s")
            with self.part("bytes-per-second"):
                self.assertGreater(took, 1.8)
            with self.part("compressed"):
                self.assertGreater(metric(first, "etcd_network_peer_sent_bytes_total"), 4_000_000)


# A heartbeat on its stream, with its head.
HEARTBEAT_BYTES = 50


class OfPeerTls(Case):
    @classmethod
    def setUpClass(cls):
        cls.root = server.scratch("strata-flags-")
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.authority = certificates.Authority(cls.root / "ca")
        cls.member = cls.authority.issue("member", hosts=["127.0.0.1", "member.example"])
        cls.other = cls.authority.issue("other", hosts=["127.0.0.1", "other.example"])

    def is_served(self, member, certificate):
        done = subprocess.run(["curl", "-sk", "--max-time", "5", "--cert", certificate.cert, "--key", certificate.key,
                               member.peer_url + "/version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
        return b"etcdserver" in done.stdout

    def check(self, *flags):
        trust = [f"--peer-cert-file={self.member.cert}", f"--peer-key-file={self.member.key}",
                 f"--peer-trusted-ca-file={self.authority.cert}", "--peer-client-cert-auth"]
        with cluster.Cluster([STRATAD], flags=[*trust, *given(*flags)], scheme="https", level="3.5") as some:
            self.assertTrue(self.is_served(some.members[0], self.member))
            self.assertFalse(self.is_served(some.members[0], self.other))

    def test_peer_cert_allowed_cn(self):
        self.check("--peer-cert-allowed-cn=member")

    def test_peer_cert_allowed_hostname(self):
        self.check("--peer-cert-allowed-hostname=member.example")

    def test_peer_crl_file(self):
        self.authority.revoke(self.other)
        crl = self.root / "crl"
        self.authority.write_crl(crl)
        self.check(f"--peer-crl-file={crl}")


def run(kind):
    """One class's tests, with the time that each took."""
    class Result(unittest.TestResult):
        def startTest(self, test):
            super().startTest(test)
            self.began = time.monotonic()

        def stopTest(self, test):
            super().stopTest(test)
            print(f"{test.id().split('.', 1)[1]}: {time.monotonic() - self.began:.1f} s", flush=True)

    result = Result()
    unittest.defaultTestLoader.loadTestsFromTestCase(kind).run(result)
    return result


def main():
    kinds = [OfOneMember, OfAnother, OfSeveral, OfPeerTls]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        results = list(threads.map(run, kinds))
    bad = [one for result in results for one in result.failures + result.errors]
    if not IGNORED:
        for test, why in bad:
            print(f"--- {test.id()}\n{why}")
        sys.exit(bool(bad))
    failed = {test.id() for test, _ in bad}
    tests = [test.id() for kind in kinds for test in unittest.defaultTestLoader.loadTestsFromTestCase(kind)]
    names = {name for test in tests for name in Case.parts.get(test, [test])}
    print("would not notice that their flags are ignored:", sorted(names - failed) or "none")
    sys.exit(not names <= failed)


if __name__ == "__main__":
    main()
