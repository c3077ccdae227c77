"""TLS on the client port, by etcdctl, curl and Python's ssl: tls_test.py STRATAD [--on-etcd]

With --on-etcd the checks of what the real etcd has are tried on it.
"""
import os
import pathlib
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import time
import unittest
import warnings

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import certificates
import server
from server import ETCD, Server

STRATAD = os.path.abspath(sys.argv.pop(1))
ON_ETCD = "--on-etcd" in sys.argv and bool(sys.argv.remove("--on-etcd") or True)
WAIT_S = 15


class TlsServer(Server):
    """One member that clients reach by https only. `ctl_flags` are etcdctl's."""

    def __init__(self, binary, flags, ctl_flags, data_dir=None):
        port = server.free_port()
        listen = [f"--listen-client-urls=https://127.0.0.1:{port}",
                  f"--advertise-client-urls=https://127.0.0.1:{port}"]
        super().__init__(binary, data_dir, flags=listen + list(flags), client_port=port)
        self.ctl_flags = list(ctl_flags)

    def ctl(self, *arguments, stdin=b""):
        return self.ctl_as(self.ctl_flags, *arguments, stdin=stdin)

    def ctl_as(self, flags, *arguments, stdin=b""):
        command = [server.ETCDCTL, f"--endpoints=https://{self.endpoint}", "--dial-timeout=3s",
                   "--command-timeout=4s", *flags, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, env=server.clean_environment(),
                              timeout=WAIT_S)

    def curl(self, *arguments):
        return subprocess.run(["curl", "-sS", "--max-time", "5", *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=WAIT_S)


def flags_of(pair, authority=None):
    """A server's."""
    flags = [f"--cert-file={pair.cert}", f"--key-file={pair.key}"]
    return flags + ([f"--trusted-ca-file={authority.cert}", "--client-cert-auth"] if authority else [])


def as_client(authority, pair=None):
    """etcdctl's flags."""
    flags = [f"--cacert={authority.cert}"]
    return flags + ([f"--cert={pair.cert}", f"--key={pair.key}"] if pair else [])


def handshake(port, authority, pair=None, protocols=(), limit=None):
    """What a client of Python's comes to: (TLS version, ALPN, the server's serial number)."""
    context = ssl.create_default_context(cafile=authority.cert)
    if pair:
        context.load_cert_chain(pair.cert, pair.key)
    if protocols:
        context.set_alpn_protocols(protocols)
    if limit:
        limit(context)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.version(), secure.selected_alpn_protocol(), secure.getpeercert()["serialNumber"]


def answer(port, authority, pair):
    """What a client with these gets to its request; empty: it was not let in."""
    context = ssl.create_default_context(cafile=authority.cert)
    if pair:
        context.load_cert_chain(pair.cert, pair.key)
    got = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                secure.sendall(b"GET /version HTTP/1.0\r\n\r\n")
                while piece := secure.recv(4096):
                    got += piece
    except (ssl.SSLError, ConnectionError):
        pass
    return got


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = server.scratch("strata-tls-")
        hosts = ["127.0.0.1", "localhost"]
        cls.ca = certificates.Authority(cls.root / "ca")
        cls.stranger = certificates.Authority(cls.root / "stranger")
        cls.server = cls.ca.issue("server", hosts)
        cls.client = cls.ca.issue("client", ["good.example"], common_name="root")
        cls.other = cls.ca.issue("other", ["other.example"])
        cls.expired = cls.ca.issue("expired", until="20210101000000Z")
        cls.foreign = cls.stranger.issue("foreign")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def start(self, binary, flags, ctl_flags, data_dir=None):
        subject = TlsServer(binary, flags, ctl_flags, data_dir)
        self.addCleanup(subject.close)
        subject.start()
        return subject

    def let_in(self, subject, pair):
        self.assertIn(b"etcdserver", answer(subject.client_port, self.ca, pair))

    def refused_client(self, subject, pair):
        self.assertEqual(answer(subject.client_port, self.ca, pair), b"", pair)

    def refused_start(self, binary, flags):
        """What the server says."""
        subject = TlsServer(binary, flags, [])
        self.addCleanup(subject.close)
        subject.launch()
        self.assertNotIn(subject.process.wait(WAIT_S), (0, None))
        return subject.log()

    # --- on both servers ---

    def check_server_certificate(self, binary):
        subject = self.start(binary, flags_of(self.server), as_client(self.ca))
        subject.must("put", "k", "v")
        self.assertEqual(subject.must("get", "k"), "k\nv\n")
        self.assertIn("PUT\nk\nw\n", self.watched(subject))
        # The client finds out that it is somebody else's server.
        self.assertNotEqual(subject.ctl_as(as_client(self.stranger), "put", "refused", "x").returncode, 0)
        self.assertEqual(subject.must("get", "refused"), "")
        url = f"https://{subject.endpoint}"
        health = subject.curl("--cacert", self.ca.cert, url + "/health")
        self.assertIn(b'"health":"true"', health.stdout, health.stderr)
        answer = subject.curl("--cacert", self.ca.cert, "-d", '{"key":"aw=="}', url + "/v3/kv/range")
        self.assertIn(b'"kvs":[{"key":"aw=="', answer.stdout, answer.stderr)
        # Without TLS there is nothing to be had.
        self.assertNotEqual(subject.curl(f"http://{subject.endpoint}/version").stdout[:1], b"{")

    def watched(self, subject):
        """What a watch prints of one put."""
        log = self.root / "watched"
        with open(log, "wb") as output:
            watch = subprocess.Popen([server.ETCDCTL, f"--endpoints=https://{subject.endpoint}", *subject.ctl_flags,
                                      "watch", "k", "--rev=3"], stdin=subprocess.DEVNULL, stdout=output,
                                     stderr=output, env=server.clean_environment())
        try:
            subject.must("put", "k", "w")
            deadline = time.monotonic() + WAIT_S
            while b"w\n" not in log.read_bytes() and time.monotonic() < deadline:
                time.sleep(0.02)
        finally:
            watch.kill()
            watch.wait()
        return log.read_text()

    def check_client_certificates(self, binary):
        subject = self.start(binary, flags_of(self.server, self.ca), as_client(self.ca, self.client))
        subject.must("put", "k", "v")
        self.let_in(subject, self.client)
        for pair in (None, self.foreign, self.expired):
            self.refused_client(subject, pair)
        url = f"https://{subject.endpoint}/health"
        good = subject.curl("--cacert", self.ca.cert, "--cert", self.client.cert, "--key", self.client.key, url)
        self.assertIn(b'"health":"true"', good.stdout, good.stderr)
        self.assertNotEqual(subject.curl("--cacert", self.ca.cert, url).returncode, 0)

    def check_revoked(self, binary):
        who = os.path.basename(binary)
        revoked, later = self.ca.issue("revoked-" + who), self.ca.issue("later-" + who)
        crl = self.root / f"{who}.crl"
        self.ca.revoke(revoked)
        self.ca.write_crl(crl)
        subject = self.start(binary, flags_of(self.server, self.ca) + [f"--client-crl-file={crl}"],
                             as_client(self.ca, self.client))
        self.refused_client(subject, revoked)
        self.let_in(subject, later)
        self.ca.revoke(later)
        self.ca.write_crl(crl)
        self.refused_client(subject, later)
        # Without a list nobody is let in.
        crl.unlink()
        self.refused_client(subject, self.client)
        self.ca.write_crl(crl)
        self.let_in(subject, self.client)

    def check_hostname(self, binary):
        # etcd's gateway comes as a client with the server's certificate.
        own = self.ca.issue("own-" + os.path.basename(binary), ["127.0.0.1", "good.example"])
        flags = flags_of(own, self.ca) + ["--client-cert-allowed-hostname=good.example"]
        subject = self.start(binary, flags, as_client(self.ca, self.client))
        subject.must("put", "k", "v")
        self.let_in(subject, self.client)
        self.refused_client(subject, self.other)

    def check_renewed(self, binary):
        live = certificates.Pair(self.root / f"live-{os.path.basename(binary)}.pem",
                                 self.root / f"live-{os.path.basename(binary)}.key")
        for source, target in zip(self.server, live):
            shutil.copy(source, target)
        subject = self.start(binary, flags_of(live), as_client(self.ca))
        before = handshake(subject.client_port, self.ca)[2]
        renewed = self.ca.issue("renewed-" + os.path.basename(binary), ["127.0.0.1", "localhost"])
        for source, target in zip(renewed, live):
            shutil.copy(source, target)
        self.assertNotEqual(handshake(subject.client_port, self.ca)[2], before)
        subject.must("put", "k", "v")

    def check_auto_tls(self, binary):
        data = self.root / f"auto-{os.path.basename(binary)}"
        blind = ["--insecure-skip-tls-verify", "--insecure-transport=false"]
        subject = self.start(binary, ["--auto-tls"], blind, data)
        subject.must("put", "k", "v")
        made = data / "fixtures" / "client"
        cert = (made / "cert.pem").read_bytes()
        self.assertTrue(cert.startswith(b"-----BEGIN CERTIFICATE-----"))
        self.assertEqual(stat.S_IMODE((made / "key.pem").stat().st_mode), 0o600)
        # It is for the address, and for a year.
        text = subprocess.run(["openssl", "x509", "-in", made / "cert.pem", "-noout", "-ext", "subjectAltName",
                               "-checkend", str(364 * 24 * 3600)], capture_output=True, text=True, timeout=WAIT_S)
        self.assertIn("IP Address:127.0.0.1", text.stdout)
        self.assertEqual(text.returncode, 0, text.stdout)
        subject.stop()
        again = self.start(binary, ["--auto-tls"], blind, data)
        self.assertEqual(again.must("get", "k"), "k\nv\n")
        self.assertEqual((made / "cert.pem").read_bytes(), cert)
        again.stop()
        # The other server takes it over.
        other = self.start(ETCD if binary == STRATAD else STRATAD, ["--auto-tls"], blind, data)
        self.assertEqual(other.must("get", "k"), "k\nv\n")

    def check_bad_files(self, binary):
        """Those the other server finds fault with too, in words that are the same."""
        empty = self.root / "empty.pem"
        empty.write_text("nothing\n")
        pair = self.server
        said = {
            "missing cert": self.refused_start(binary, [f"--cert-file={self.root}/none", f"--key-file={pair.key}"]),
            "missing key": self.refused_start(binary, [f"--cert-file={pair.cert}"]),
            "wrong key": self.refused_start(binary, [f"--cert-file={pair.cert}", f"--key-file={self.other.key}"]),
            "no PEM": self.refused_start(binary, [f"--cert-file={empty}", f"--key-file={pair.key}"]),
            "no PEM key": self.refused_start(binary, [f"--cert-file={pair.cert}", f"--key-file={empty}"]),
            "missing CA": self.refused_start(binary, flags_of(pair) + [f"--trusted-ca-file={self.root}/none"]),
            "suite": self.refused_start(binary, flags_of(pair) + ["--cipher-suites=TLS_NONE"]),
        }
        expected = {
            "missing cert": f"open {self.root}/none: no such file or directory",
            "missing key": f"KeyFile and CertFile must both be present[key: , cert: {pair.cert}]",
            "wrong key": "tls: private key does not match public key",
            "no PEM": "tls: failed to find any PEM data in certificate input",
            "no PEM key": "tls: failed to find any PEM data in key input",
            "missing CA": f"open {self.root}/none: no such file or directory",
            "suite": 'unexpected TLS cipher suite "TLS_NONE"',
        }
        for what, words in expected.items():
            self.assertIn(words, said[what].replace('\\"', '"'), what)
        none = self.refused_start(binary, [])
        self.assertRegex(none, r"TLS key/cert \(--cert-file, --key-file\) must be provided for client url https")

    def check_cipher_suites(self, binary):
        suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"  # etcd cannot do without it
        subject = self.start(binary, flags_of(self.server) + ["--cipher-suites=" + suite], as_client(self.ca))

        def only(name):
            def limit(context):
                context.maximum_version = ssl.TLSVersion.TLSv1_2
                context.set_ciphers(name)
            return limit

        port = subject.client_port
        self.assertEqual(handshake(port, self.ca, limit=only("ECDHE-ECDSA-AES128-GCM-SHA256"), protocols=["h2"])[0],
                         "TLSv1.2")
        with self.assertRaises(ssl.SSLError):
            handshake(port, self.ca, limit=only("ECDHE-ECDSA-AES256-GCM-SHA384"), protocols=["h2"])

    # --- ours alone ---

    def versions(self, flags):
        """Those that are spoken."""
        subject = self.start(STRATAD, flags_of(self.server) + flags, as_client(self.ca))
        spoken = []
        for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            def limit(context, version=version):
                context.minimum_version = context.maximum_version = version
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    spoken.append(handshake(subject.client_port, self.ca, limit=limit)[0])
            except (ssl.SSLError, ConnectionError):
                pass
        return spoken

    def test_versions(self):
        self.assertEqual(self.versions([]), ["TLSv1.2", "TLSv1.3"])
        self.assertEqual(self.versions(["--tls-min-version=TLS1.3"]), ["TLSv1.3"])
        self.assertEqual(self.versions(["--tls-max-version=TLS1.2"]), ["TLSv1.2"])

    def test_protocols(self):
        """http/1.1 for whoever speaks it; what speaks h2 alone is gRPC."""
        subject = self.start(STRATAD, flags_of(self.server), as_client(self.ca))
        port = subject.client_port
        self.assertEqual(handshake(port, self.ca, protocols=["h2", "http/1.1"])[1], "http/1.1")
        self.assertEqual(handshake(port, self.ca, protocols=["grpc-exp", "h2"])[1], "h2")
        self.assertEqual(handshake(port, self.ca)[1], None)
        with self.assertRaises(ssl.SSLError):
            handshake(port, self.ca, protocols=["spdy/3"])
        # Without ALPN the first bytes decide.
        context = ssl.create_default_context(cafile=self.ca.cert)
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=5),
                                 server_hostname="localhost") as secure:
            secure.sendall(b"GET /version HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := secure.recv(4096):
                answer += piece
        self.assertIn(b"etcdserver", answer)

    def test_http_and_https_on_one_address(self):
        port = server.free_port()
        urls = f"http://127.0.0.1:{port},https://127.0.0.1:{port}"
        with Server(STRATAD, flags=[f"--listen-client-urls={urls}", *flags_of(self.server)],
                    client_port=port) as subject:
            subject.must("put", "k", "v")  # without TLS
            done = subprocess.run([server.ETCDCTL, f"--endpoints=https://127.0.0.1:{port}", *as_client(self.ca),
                                   "get", "k"], capture_output=True, env=server.clean_environment(), timeout=WAIT_S)
            self.assertEqual(done.stdout, b"k\nv\n", done.stderr)
            for flags in ([f"http://127.0.0.1:{port}/version"],
                          ["--cacert", self.ca.cert, f"https://127.0.0.1:{port}/version"]):
                done = subprocess.run(["curl", "-sS", "--max-time", "5", *flags], capture_output=True, timeout=WAIT_S)
                self.assertIn(b"etcdserver", done.stdout, done.stderr)

    def test_a_certificate_before_its_key(self):
        """While the two do not belong together, those of before hold."""
        live = certificates.Pair(self.root / "half.pem", self.root / "half.key")
        for source, target in zip(self.server, live):
            shutil.copy(source, target)
        subject = self.start(STRATAD, flags_of(live), as_client(self.ca))
        before = handshake(subject.client_port, self.ca)[2]
        renewed = self.ca.issue("half-renewed", ["127.0.0.1", "localhost"])
        shutil.copy(renewed.cert, live.cert)
        self.assertEqual(handshake(subject.client_port, self.ca)[2], before)
        self.assertIn("those of before hold", subject.log())
        shutil.copy(renewed.key, live.key)
        self.assertNotEqual(handshake(subject.client_port, self.ca)[2], before)

    def test_many_bytes(self):
        """More than any buffer on the way, both ways at once."""
        subject = self.start(STRATAD, flags_of(self.server), as_client(self.ca))
        value = os.urandom(500_000).hex().encode()
        for number in range(10):
            self.assertEqual(subject.ctl("put", f"big/{number}", stdin=value).returncode, 0)
        listed = subject.ctl("get", "big/", "--prefix", "--print-value-only")
        self.assertEqual(listed.stdout, (value + b"\n") * 10)


def add_checks(who, binary):
    for check in [name for name in dir(TlsTest) if name.startswith("check_")]:
        def run(self, check=check):
            getattr(self, check)(binary)
        setattr(TlsTest, f"test_{check[6:]}_of_{who}", run)


if ON_ETCD:
    for ours in [name for name in dir(TlsTest) if name.startswith("test_")]:
        delattr(TlsTest, ours)
    add_checks("etcd", ETCD)
else:
    add_checks("stratad", STRATAD)

if __name__ == "__main__":
    unittest.main()
