"""Members of etcd and of ours in one cluster: mixed_cluster_test.py STRATAD [long]

Two of etcd 3.4 and one of ours, which joins as a learner, is promoted and leads.
Long: then those of etcd are replaced by ours one by one until there is none
left, and back again until all are etcd's, under load all the time. After each
step every member has the same hash; at the end every acknowledged put is there.
A member's directory is also taken over by the other program, both ways.
"""
import os
import pathlib
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
            ours = add_and_promote(some, stratad)
            stage("ours joined", start)
            lead(some, ours)
            stage("ours leads", start)
            if long:
                restart(some, ours)
                stage("ours was killed and is back", start)
            some.members[1].become(stratad)
            some.check_equal()
            some.members[1].become(server.ETCD)
            some.check_equal()
            ours.become(server.ETCD)
            some.check_equal()
            ours.become(stratad)
            some.check_equal()
            stage("directories of etcd and of ours were each the other's", start)
            lead(some, some.members[0])
            if long:
                for member in list(some.members[:2]):
                    add_and_promote(some, stratad)
                    some.remove(member)
                    some.check_equal()
                    stage("one of etcd less", start)
                lead(some, some.members[-1])
                for member in list(some.members):
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
