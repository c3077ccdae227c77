"""Maintenance.Downgrade on three members: downgrade_test.py STRATAD RPC_CALLS

Raw calls and the JSON gateway, as this machine's etcdctl is 3.4 and has no
`downgrade`. What is compared is what etcd 3.5 answers. At its end the cluster is
really downgraded: the directories of level 3.5 are a real etcd 3.4's.
"""
import http.client
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import cluster
import server

STRATAD, RPC_CALLS = map(os.path.abspath, sys.argv[1:3])

WRONG_FORMAT = "3: etcdserver: wrong downgrade target version format"
INVALID_TARGET = "3: etcdserver: invalid downgrade target version"
IN_PROGRESS = "9: etcdserver: cluster has a downgrade job in progress"
NO_JOB = "9: etcdserver: no inflight downgrade job"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, expected, what=""):
    check(got == expected, f"{what}: {got!r}, not {expected!r}")


def call(member, action, version=""):
    """'ok VERSION', or the code and the text of an error, by gRPC."""
    line = f'Maintenance/Downgrade action: {action} version: "{version}"\n'
    done = subprocess.run([RPC_CALLS, member.endpoint], input=line.encode(), capture_output=True, timeout=20)
    check(done.returncode == 0, done.stderr)
    return reading(done.stdout.decode())


def reading(printed):
    lines = printed.replace("----\n", "").strip().splitlines()
    if lines and lines[0].startswith("error"):
        return lines[0].removeprefix("error").strip()
    version = [line.split('"')[1] for line in lines if line.startswith("version:")]
    header = any(line.startswith("header") for line in lines)
    return f"ok {version[0]}" if version and header else f"no answer: {printed}"


def fetch(port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def gateway(member, request):
    response, text = fetch(member.client_port, "/v3/maintenance/downgrade", json.dumps(request))
    return response.status, json.loads(text)


def versions(some):
    """What each says the cluster's version is."""
    return {json.loads(fetch(member.client_port, "/version")[1])["etcdcluster"] for member in some.running()}


def enabled(some):
    """What each answers to another member that asks."""
    answers = set()
    for member in some.running():
        response, text = fetch(member.peer_port, "/downgrade/enabled")
        equal(response.status, 200)
        equal(response.getheader("Content-Type"), "text/plain")
        check(response.getheader("X-Etcd-Cluster-ID"), "no cluster id")
        answers.add(text)
    return answers


def refusals(some):
    for member in (some.leader(), some.follower()):
        equal(call(member, "VALIDATE", "3.4"), "ok 3.5.0")
        equal(call(member, "VALIDATE", "3.4.0"), "ok 3.5.0")
        for action in ("VALIDATE", "ENABLE"):
            for version in ("", "3", "x", "3.4.x", "v3.4"):
                equal(call(member, action, version), WRONG_FORMAT, version)
            for version in ("3.5.0", "3.3", "3.6", "2.4", "4.4"):
                equal(call(member, action, version), INVALID_TARGET, version)
        equal(call(member, "CANCEL"), NO_JOB)
        equal(call(member, "7", "3.4"), "2: etcdserver: unknown method")
    equal(enabled(some), {"false"})
    equal(versions(some), {"3.5.0"})
    response, _ = fetch(some.leader().peer_port, "/downgrade/enabled", "x")
    equal((response.status, response.getheader("Allow")), (405, "GET"))


def enable_and_cancel(some):
    follower = some.follower()
    equal(call(follower, "ENABLE", "3.4"), "ok 3.5.0")
    equal(enabled(some), {"true"})
    cluster.wait("a lower version", lambda: versions(some) == {"3.4.0"})
    # The check of the target comes first.
    equal(call(follower, "ENABLE", "3.4"), INVALID_TARGET)
    equal(call(some.leader(), "VALIDATE", "3.3"), IN_PROGRESS)
    some.leader().must("put", "meanwhile", "x")
    equal(call(follower, "CANCEL"), "ok 3.4.0")
    equal(enabled(some), {"false"})
    cluster.wait("the version of before", lambda: versions(some) == {"3.5.0"})
    equal(call(follower, "CANCEL"), NO_JOB)


def through_the_gateway(some):
    leader = some.leader()
    status, answer = gateway(leader, {"action": "VALIDATE", "version": "3.4"})
    equal((status, answer["version"]), (200, "3.5.0"))
    check(answer["header"]["raft_term"], answer)
    status, answer = gateway(leader, {"action": "ENABLE", "version": "3.2"})
    text = "etcdserver: invalid downgrade target version"
    equal((status, answer), (400, {"error": text, "message": text, "code": 3}))
    status, answer = gateway(leader, {"action": "CANCEL"})
    equal((status, answer["code"], answer["message"]), (400, 9, "etcdserver: no inflight downgrade job"))
    before = leader.status()["raftIndex"]
    equal(gateway(leader, {"action": 1, "version": "3.4.0"})[0], 200)
    cluster.wait("a lower version", lambda: versions(some) == {"3.4.0"})
    return before


def snapshot_index(member):
    """Of its last raft snapshot."""
    taken = [json.loads(line)["index"] for line in member.log().splitlines() if "took a raft snapshot" in line]
    return max(taken, default=0)


def to_a_real_3_4(some):
    """Each in turn becomes an etcd 3.4, which would end at the request in the log
    or the version of before; but behind both there is a snapshot."""
    enabled_at = through_the_gateway(some) + 1
    for number in range(20):
        some.leader().must("put", f"key{number}", "value")
    some.check_equal()
    for member in some.members:
        member.wait("a snapshot", lambda m=member: snapshot_index(m) > enabled_at)
    for member in list(some.members):
        member.become(server.ETCD)
        some.leader().must("put", "after", member.name)
        some.check_equal()
    equal(versions(some), {"3.4.0"})
    equal(some.leader().must("get", "key19", "--print-value-only"), "value\n")


def main():
    with cluster.Cluster([STRATAD] * 3, level="3.5") as some:
        cluster.wait("a version", lambda: versions(some) == {"3.5.0"})
        for step in (refusals, enable_and_cancel, to_a_real_3_4):
            start = time.monotonic()
            step(some)
            print(f"{step.__name__}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
