"""Members that find each other: discovery_test.py STRATAD

By SRV records of a DNS server that answers real packets, and by a token in
another cluster, etcd's and ours, with and without TLS.
"""
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import certificates
import cluster
import server

STRATAD = os.path.abspath(sys.argv.pop(1))
A, SRV = 1, 33
NO_SUCH_NAME = 3


def labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split(".")) + b"\0"


class DnsServer(threading.Thread):
    """Answers what `records` has for (name, type): addresses, or (port, target)."""

    def __init__(self, records):
        super().__init__(daemon=True)
        self.records = records
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.asked = []

    def run(self):
        while True:
            packet, client = self.socket.recvfrom(4096)
            at, parts = 12, []
            while packet[at]:
                parts.append(packet[at + 1 : at + 1 + packet[at]].decode().lower())
                at += 1 + packet[at]
            kind = struct.unpack(">H", packet[at + 1 : at + 3])[0]
            question, name = packet[12 : at + 5], ".".join(parts)
            self.asked.append((name, kind))
            answers = [self.data(kind, one) for one in self.records.get((name, kind), [])]
            known = any(name == key[0] for key in self.records)
            head = packet[:2] + struct.pack(">HHHHH", 0x8180 | (0 if known else NO_SUCH_NAME), 1, len(answers), 0, 0)
            rows = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 5, len(data)) + data for data in answers)
            self.socket.sendto(head + question + rows, client)

    @staticmethod
    def data(kind, one):
        if kind == A:
            return socket.inet_aton(one)
        port, target = one
        return struct.pack(">HHH", 0, 0, port) + labels(target)


class Finder(cluster.Member):
    """A member that is not told who its cluster is."""

    def __init__(self, name, finding, flags=(), scheme="http", environment=()):
        super().__init__(STRATAD, name, flags=[*finding, *flags], level="3.5", scheme=scheme)
        self.environment = {**server.clean_environment(), **dict(environment)}

    def launch(self):
        command = [
            self.binary, f"--name={self.name}", f"--data-dir={self.data_dir}",
            f"--listen-client-urls=http://127.0.0.1:{self.client_port}",
            f"--advertise-client-urls=http://127.0.0.1:{self.client_port}",
            f"--listen-peer-urls={self.peer_url}", f"--initial-advertise-peer-urls={self.peer_url}",
            *self.flags,
        ]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)


class DiscoveryTest(unittest.TestCase):
    def setUp(self):
        self.some = cluster.Cluster([])
        self.addCleanup(self.some.close)

    def start(self, members):
        self.some.members += members
        for member in members:
            member.launch()
        for member in members:
            member.wait("healthy", member.healthy, 30)

    def check_cluster(self, count):
        for member in self.some.members:
            member.must("put", f"of-{member.name}", "x")
        self.assertEqual(len(self.some.members[0].must("member", "list").splitlines()), count)
        self.some.check_equal()

    def refused(self, member, expected):
        self.some.gone.append(member)
        member.launch()
        self.assertEqual(member.process.wait(20), 1)
        self.assertIn(expected, member.log())

    # --- DNS ---

    def dns(self, records):
        dns = DnsServer(records)
        dns.start()
        return dns, ["--discovery-srv=strata.test", f"--discovery-dns-servers={dns.address}"]

    def test_srv_records(self):
        records = {("localhost", A): ["127.0.0.1"]}
        dns, finding = self.dns(records)
        members = [Finder(f"m{number}", finding) for number in range(3)]
        records["_etcd-server._tcp.strata.test", SRV] = [(member.peer_port, "localhost.") for member in members]
        self.start(members)
        self.check_cluster(3)
        self.assertIn(("_etcd-server-ssl._tcp.strata.test", SRV), dns.asked)
        self.assertIn(f"http://localhost:{members[0].peer_port}", members[0].must("member", "list"))
        # Once there are data, nobody is asked.
        del dns.asked[:]
        members[0].stop()
        members[0].start()
        self.assertEqual(dns.asked, [])

    def test_srv_records_of_a_name(self):
        records = {("localhost", A): ["127.0.0.1"]}
        dns, finding = self.dns(records)
        member = Finder("alone", [*finding, "--discovery-srv-name=blue"])
        records["_etcd-server-blue._tcp.strata.test", SRV] = [(member.peer_port, "localhost")]
        self.start([member])
        self.check_cluster(1)

    def test_srv_refusals(self):
        records = {("localhost", A): ["127.0.0.1"]}
        _, finding = self.dns(records)
        self.refused(Finder("m", finding), "error querying DNS SRV records for _etcd-server-ssl")
        member = Finder("m", finding)
        records["_etcd-server._tcp.strata.test", SRV] = [(1, "localhost")]
        self.refused(member, "cannot find local etcd member \\\"m\\\" in SRV records")
        del records["_etcd-server._tcp.strata.test", SRV]
        records["_etcd-server-ssl._tcp.strata.test", SRV] = [(member.peer_port, "localhost")]
        self.refused(member, "scheme mismatch with expected peer")

    def secure_members(self, authority, host, flags):
        """Three that find each other, with a certificate for `host`; the system trusts the authority."""
        records = {("localhost", A): ["127.0.0.1"]}
        _, finding = self.dns(records)
        pair = authority.issue(host, hosts=[host])
        members = [Finder(f"m{number}", finding,
                          [f"--peer-cert-file={pair.cert}", f"--peer-key-file={pair.key}", *flags],
                          scheme="https", environment={"SSL_CERT_FILE": str(authority.cert)})
                   for number in range(3)]
        records["_etcd-server-ssl._tcp.strata.test", SRV] = [(member.peer_port, "localhost.") for member in members]
        return members

    def test_srv_records_and_whom_certificates_are_for(self):
        directory = server.scratch("strata-discovery-")
        self.addCleanup(shutil.rmtree, directory)
        authority = certificates.Authority(directory / "ca")
        # As etcd: for the domain, and not for the host, if no authority is named.
        self.start(self.secure_members(authority, "strata.test", []))
        self.check_cluster(3)
        wrong = self.secure_members(authority, "localhost", [])
        self.some.gone += wrong
        for member in wrong:
            member.launch()
        wrong[0].wait("a refusal", lambda: "hostname mismatch" in wrong[0].log())
        self.assertFalse(any(member.healthy() for member in wrong))
        # For the host, if one is; and whenever a member starts again.
        self.some.gone += self.some.members
        self.some.members = []
        named = self.secure_members(authority, "localhost", [f"--peer-trusted-ca-file={authority.cert}"])
        self.start(named)
        self.check_cluster(3)
        named[0].stop()
        named[0].start()
        self.check_cluster(3)

    # --- a token in another cluster ---

    @staticmethod
    def finding(registry, token, scheme=""):
        return [f"--discovery-endpoints={scheme}{registry.endpoint}", f"--discovery-token={token}"]

    def test_a_token_in_a_cluster_of_etcd_and_of_ours(self):
        for binary in (server.ETCD, STRATAD):
            with self.subTest(registry=binary), server.Server(binary) as registry:
                some = self.some = cluster.Cluster([])
                self.addCleanup(some.close)
                registry.must("put", "/_etcd/registry/token/_config/size", "3")
                finding = self.finding(registry, "token")
                members = [Finder(f"m{number}", finding) for number in range(3)]
                some.members += members
                members[0].launch()
                members[0].wait("registered", lambda: "waiting for peers" in members[0].log())
                # What has no sense there is passed over.
                registry.must("put", "/_etcd/registry/token/members/zz", "nonsense")
                for member in members[1:]:
                    member.launch()
                for member in members:
                    member.wait("healthy", member.healthy, 30)
                self.check_cluster(3)
                self.refused(Finder("late", finding), "discovery: cluster is full")
                members[1].stop()
                members[1].start()
                some.check_equal()

    def test_token_refusals(self):
        with server.Server(server.ETCD) as registry:
            self.refused(Finder("m", self.finding(registry, "none")), "discovery: size key not found")
            registry.must("put", "/_etcd/registry/bad/_config/size", "three")
            self.refused(Finder("m", self.finding(registry, "bad")), "discovery: size key is bad")
            # One that waits for others can be stopped.
            registry.must("put", "/_etcd/registry/pair/_config/size", "2")
            member = Finder("m", self.finding(registry, "pair"))
            self.some.gone.append(member)
            member.launch()
            member.wait("waits", lambda: "waiting for peers" in member.log())
            member.process.send_signal(signal.SIGTERM)
            self.assertEqual(member.process.wait(5), 1)
        self.refused(Finder("m", ["--discovery-token=x"]),
                     "both --discovery-token and --discovery-endpoints must be set")
        self.refused(Finder("m", ["--discovery-srv=x", "--initial-cluster=m=http://h:1"]),
                     "multiple discovery or bootstrap flags are set")

    def test_a_registry_with_tls(self):
        directory = server.scratch("strata-discovery-")
        self.addCleanup(shutil.rmtree, directory)
        authority = certificates.Authority(directory / "ca")
        pair = authority.issue("registry", hosts=["127.0.0.1", "localhost"])
        ports = [server.free_port(), server.free_port()]
        log = open(directory / "log", "wb")
        self.addCleanup(log.close)
        registry = subprocess.Popen(
            [server.ETCD, f"--data-dir={directory}/data", f"--listen-client-urls=https://127.0.0.1:{ports[0]}",
             f"--advertise-client-urls=https://127.0.0.1:{ports[0]}", f"--listen-peer-urls=http://127.0.0.1:{ports[1]}",
             f"--cert-file={pair.cert}", f"--key-file={pair.key}", "--client-cert-auth",
             f"--trusted-ca-file={authority.cert}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=server.clean_environment())
        self.addCleanup(registry.wait)
        self.addCleanup(registry.kill)
        control = [server.ETCDCTL, f"--endpoints=https://127.0.0.1:{ports[0]}", f"--cacert={authority.cert}",
                   f"--cert={pair.cert}", f"--key={pair.key}"]
        put = [*control, "put", "/_etcd/registry/t/_config/size", "1"]
        cluster.wait("the registry", lambda: subprocess.run(put, capture_output=True, timeout=10,
                                                            env=server.clean_environment()).returncode == 0)
        finding = [f"--discovery-endpoints=127.0.0.1:{ports[0]}", "--discovery-token=t",
                   "--discovery-insecure-transport=false", f"--discovery-cert={pair.cert}", f"--discovery-key={pair.key}"]
        trusting = Finder("m", [*finding, f"--discovery-cacert={authority.cert}"])
        self.start([trusting])
        # Registered as the same member again, without looking who answers.
        again = Finder("m", [*finding, "--discovery-insecure-skip-tls-verify"])
        self.some.gone.append(again)
        again.launch()
        again.wait("an answer", lambda: "cluster is full" in again.log())


if __name__ == "__main__":
    unittest.main()
