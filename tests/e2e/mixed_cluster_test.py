"""Members of etcd and of ours in one cluster: mixed_cluster_test.py STRATAD [long]

Two of etcd 3.4 and one of ours, which joins as a learner, is promoted and leads.
Long: then those of etcd are replaced by ours one by one until there is none
left, and back again until all are etcd's, under load all the time. After each
step every member has the same hash; at the end every acknowledged put is there.
A member's directory is also taken over by the other program, both ways.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import cluster
import server

FLAGS = ["--snapshot-count=200"]


class Load:
    """Puts keys of its own through any member until stopped; keeps what was
    acknowledged."""

    def __init__(self, some):
        self.some = some
        self.acked = {}
        self.failed = 0
        self.stopping = False
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()

    def run(self):
        number = 0
        while not self.stopping:
            number += 1
            members = self.some.running()
            if not members:
                time.sleep(0.05)
                continue
            key, value = f"load{number:06}", f"value{number}"
            done = members[number % len(members)].ctl("put", key, value, "--command-timeout=2s", "--dial-timeout=1s")
            if done.returncode == 0:
                self.acked[key] = value
            else:
                self.failed += 1


class Clients:
    """A watcher of the load and a lease that is kept, through all members that are
    there at the beginning `but` some; at the end the one has seen every put once
    and in order, and the other's key is still there. etcdctl ends a watch when a
    member that it comes to knows no leader yet, so not through members that are
    started meanwhile."""

    LEASE_S = 3

    def __init__(self, some, but=()):
        self.some = some
        members = [member for member in some.running() if member not in but]
        self.endpoints = ",".join(member.endpoint for member in members)
        self.output = server.scratch("strata-clients-") / "watched"
        self.lease = members[0].must("lease", "grant", str(self.LEASE_S)).split()[1]
        members[0].must("put", "--lease", self.lease, "kept", "x")
        self.began = time.monotonic()
        self.revision = members[0].status()["header"]["revision"]

    def start(self, *arguments, output=subprocess.DEVNULL):
        return subprocess.Popen([server.ETCDCTL, f"--endpoints={self.endpoints}", *arguments],
                                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                env=server.clean_environment())

    def __enter__(self):
        with open(self.output, "wb") as output:
            self.processes = [self.start("watch", "load", "--prefix", f"--rev={self.revision + 1}", output=output),
                              self.start("lease", "keep-alive", self.lease)]
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.check()
        finally:
            for process in self.processes:
                process.kill()
                process.wait()
            shutil.rmtree(self.output.parent)

    def watched(self):
        lines = self.output.read_text().splitlines()
        return [key for what, key in zip(lines[::3], lines[1::3]) if what == "PUT"]

    def check(self):
        last = self.some.leader()
        until = last.status()["header"]["revision"]
        got = last.must("get", "load", "--prefix", "--write-out=json", f"--rev={until}", "--command-timeout=20s")
        kvs = sorted(json.loads(got).get("kvs", []), key=lambda kv: kv["mod_revision"])
        expected = [base64.b64decode(kv["key"]).decode() for kv in kvs if kv["mod_revision"] > self.revision]
        cluster.wait("all events", lambda: len(self.watched()) >= len(expected), 20,
                     lambda: f"{len(self.watched())} of {len(expected)} came, {self.output.read_text()[-200:]}")
        watched = self.watched()[:len(expected)]
        if watched != expected or not expected:
            raise AssertionError(f"watched {watched[-5:]} of {len(watched)}, not {expected[-5:]}")
        lasted = time.monotonic() - self.began
        if last.must("get", "kept") != "kept\nx\n":
            raise AssertionError(f"a lease of {self.LEASE_S} s that was kept has ended within {lasted:.1f} s")
        print(f"a watcher saw {len(expected)} puts, a lease lived for {lasted:.1f} s", flush=True)


def check_acknowledged(some, acked):
    for member in some.running():
        lines = member.must("get", "load", "--prefix", "--command-timeout=20s").splitlines()
        found = dict(zip(lines[::2], lines[1::2]))
        missing = [key for key, value in acked.items() if found.get(key) != value]
        if missing:
            raise AssertionError(f"{member.name} ({member.binary}) lacks {len(missing)} acknowledged puts: {missing[:5]}")


def add_and_promote(some, binary):
    member = some.add(binary)
    some.promote(member)
    some.check_equal()
    return member


def lead(some, member):
    """Moves the leadership to `member`."""
    if some.leader() is not member:
        some.leader().must("move-leader", f"{member.id():x}", f"--endpoints={some.endpoints()}")
        cluster.wait("the new leader", lambda: some.leader() is member)
    member.must("put", "led", member.name)
    some.check_equal()


def restart(some, member):
    member.kill()
    time.sleep(1)
    member.start()
    some.check_equal()


def stage(name, start):
    print(f"{time.monotonic() - start:6.1f} s: {name}", flush=True)


def main():
    stratad, long = sys.argv[1], "long" in sys.argv[2:]
    start = time.monotonic()
    with cluster.Cluster([server.ETCD] * 2, flags=FLAGS) as some:
        for number in range(300):
            if number < 30 or long:
                some.members[number % 2].must("put", f"before{number}", "x" * 50)
        stage("two of etcd", start)
        with Load(some) as load:
            with Clients(some):
                ours = add_and_promote(some, stratad)
                stage("ours joined", start)
                lead(some, ours)
                stage("ours leads", start)
                if long:
                    restart(some, ours)
                    stage("ours was killed and is back", start)
            with Clients(some, but=[some.members[1], ours]):
                for member, binary in ((some.members[1], stratad), (some.members[1], server.ETCD),
                                       (ours, server.ETCD), (ours, stratad)):
                    member.become(binary)
                    some.check_equal()
                stage("directories of etcd and of ours were each the other's", start)
                lead(some, some.members[0])
            if long:
                for member in list(some.members[:2]):
                    with Clients(some, but=[member]):
                        add_and_promote(some, stratad)
                        some.remove(member)
                        some.check_equal()
                    stage("one of etcd less", start)
                lead(some, some.members[-1])
                for member in list(some.members):
                    with Clients(some, but=[member]):
                        add_and_promote(some, server.ETCD)
                        some.remove(member)
                        some.check_equal()
                    stage("one of ours less", start)
                lead(some, some.members[-1])
        check_acknowledged(some, load.acked)
        stage(f"all {len(load.acked)} acknowledged puts are there; {load.failed} failed", start)
        if len(load.acked) < 20:
            raise AssertionError("the load was none")


if __name__ == "__main__":
    main()
