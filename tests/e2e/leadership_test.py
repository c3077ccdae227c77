"""What a leader is to the others: leadership_test.py STRATAD

One that is stopped hands over first; an alarm of one member holds for all; leases
go through any member to the leader, also between members of etcd and ours; who
asks for a leader is told when there is none.
"""
import json
import os
import pathlib
import socket
import struct
import sys
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import cluster
import server


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def error(done):
    return done.stderr.decode(errors="replace")


def one_that_is_stopped_hands_over(stratad):
    with cluster.Cluster([stratad] * 3, flags=["--election-timeout=5000"], level="3.5") as some:
        leader = some.leader()
        others = [member for member in some.members if member is not leader]
        leader.must("put", "before", "x")
        check(leader.stop() == 0, "it did not end well")
        last = leader.log().split("received signal")[1]
        check('"role":"follower"' in last, f"it led to its end: {last}")
        began = time.monotonic()
        others[0].must("put", "after", "x", "--command-timeout=2s")
        check(time.monotonic() - began < 1, "a put waited, for an election timeout?")


def an_alarm_holds_for_all(stratad):
    """The quota is one member's, what comes of it is the cluster's."""
    with cluster.Cluster([stratad] * 3, level="3.5") as some:
        full = some.follower()
        full.stop()
        full.flags = ["--quota-backend-bytes=300000"]
        full.start()
        for number in range(4):
            full.ctl("put", f"big{number}", "v" * 100_000)
        expected = "etcdserver: mvcc: database space exceeded"
        full_id = full.id()
        for member in some.members:
            member.wait("the alarm", lambda m=member: expected in error(m.ctl("put", "a", "b")))
            listed = member.must("alarm", "list")
            check(listed == f"memberID:{full_id} alarm:NOSPACE \n", f"{member.name}: {listed!r}")
            check(member.must("get", "big0", "--keys-only").strip() == "big0", "no reads")
        leader = some.leader()
        deleted = json.loads(leader.must("del", "big", "--prefix", "--write-out=json"))
        leader.must("compact", "--physical", str(deleted["header"]["revision"]))
        # Its restart keeps the alarm, which is in the data.
        full.stop()
        full.start()
        check(expected in error(full.ctl("put", "a", "b")), "a restart ends the alarm")
        some.members[0].must("alarm", "disarm")
        for member in some.members:
            member.must("put", "a", member.name)
            check(member.must("alarm", "list") == "", "an alarm")
        some.check_equal()


def leases_go_through_any_member(stratad):
    """Renewals and what is left come from the leader, by /leases and
    /leases/internal."""
    with cluster.Cluster([stratad, server.ETCD, server.ETCD], level="3.4") as some:
        for leader in some.members[:2]:
            if some.leader() is not leader:
                some.leader().must("move-leader", f"{leader.id():x}", f"--endpoints={some.endpoints()}")
                leader.wait("leads", lambda m=leader: some.leader() is m)
            leases = {}
            for member in some.members:
                leases[member] = lease = member.must("lease", "grant", "100").split()[1]
                member.must("put", "--lease", lease, f"of-{lease}", "x")
            time.sleep(1.1)
            for member, lease in leases.items():
                through = f"through {member.name} ({member.binary}) to {leader.name} ({leader.binary})"
                left = member.must("lease", "timetolive", lease, "--keys")
                check("granted with TTL(100s), remaining(9" in left and f"of-{lease}" in left, f"{through}: {left}")
                kept = member.must("lease", "keep-alive", "--once", lease)
                check("keepalived with TTL(100)" in kept, f"{through}: {kept}")
                left = member.must("lease", "timetolive", lease)
                check("remaining(99s)" in left or "remaining(100s)" in left, f"{through}: not renewed: {left}")
                done = member.ctl("lease", "keep-alive", "--once", "1234")
                check("requested lease not found" in error(done), f"{through}: {done}")
                member.must("lease", "revoke", lease)


def call_that_asks_for_a_leader(member):
    """A Range with the metadata; what came in frames of heads, as bytes."""
    fields = ((":method", "POST"), (":scheme", "http"), (":path", "/etcdserverpb.KV/Range"),
              (":authority", member.endpoint), ("content-type", "application/grpc"), ("te", "trailers"),
              ("hasleader", "true"))
    block = b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
                     for name, value in fields)
    # Serializable, which needs no leader by itself.
    body = bytes([0, 0, 0, 0, 5]) + b"\x0a\x01k\x38\x01"

    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload
    with socket.create_connection((member.host, member.client_port), timeout=5) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, block)
                           + frame(0, 1, 1, body))
        data, frames = b"", []
        while True:
            while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                end = 9 + int.from_bytes(data[:3], "big")
                frames.append((data[3], data[4], data[9:end]))
                data = data[end:]
                if frames[-1][0] in (0, 1) and frames[-1][1] & 1:
                    return frames
            more = connection.recv(65536)
            check(more, f"the connection ended after {frames}")
            data += more


def is_served(member):
    return any(kind == 0 and payload for kind, _, payload in call_that_asks_for_a_leader(member))


def who_asks_for_a_leader_is_told(stratad):
    with cluster.Cluster([stratad] * 2, level="3.5") as some:
        left, gone = some.members
        some.leader().must("put", "k", "v")
        some.check_equal()
        check(is_served(left), "no answer")
        gone.kill()
        left.wait("no leader", lambda: not left.status().get("leader"))
        check(not is_served(left), "served without a leader")
        # Who does not ask is served.
        check(left.must("get", "k", "--consistency=s", "--print-value-only") == "v\n", "no local reads")
        # One that has just started may still find a leader, for three election timeouts.
        left.kill()
        left.launch()
        left.wait("its port", left.status)
        check(is_served(left), "refused before a leader could be found")
        left.wait("no leader any more", lambda: not is_served(left))


def main():
    stratad, only = sys.argv[1], sys.argv[2:]
    for step in (one_that_is_stopped_hands_over, an_alarm_holds_for_all, leases_go_through_any_member,
                 who_asks_for_a_leader_is_told):
        if only and step.__name__ not in only:
            continue
        began = time.monotonic()
        step(stratad)
        print(f"{step.__name__}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
