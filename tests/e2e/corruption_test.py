"""A member whose db was changed by hand: corruption_test.py STRATAD SPOIL_DB

It is found at its start, by the leader's periodic check and after a compaction,
and the CORRUPT alarm does what etcd's does. Where members are mixed, our leader
finds ours that is wrong while etcd's agrees.
"""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import cluster
import server

STRATAD, SPOIL_DB = map(os.path.abspath, sys.argv[1:3])


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def error(done):
    return done.stderr.decode(errors="replace")


def fill(some):
    for number in range(10):
        some.leader().must("put", f"key{number}", f"value{number}")
    some.check_equal()


def spoil(member):
    """Stops it, and changes what it has."""
    member.stop()
    done = subprocess.run([SPOIL_DB, str(member.data_dir / "member/snap/db"), "key3"], capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)


def wait_for_alarm(some, member_id):
    def raised():
        listed = some.ctl("alarm", "list").stdout.decode()
        return listed if "CORRUPT" in listed else None
    listed = cluster.wait("the alarm", raised, 20, some.leader().log_tail)
    check(f"memberID:{member_id} alarm:CORRUPT" in listed, f"{listed} is not about {member_id}")


def check_refusals(some):
    for call in (("put", "a", "b"), ("del", "key1"), ("compact", "2"), ("lease", "grant", "60")):
        done = some.ctl(*call)
        check(done.returncode != 0 and "etcdserver: corrupt cluster" in error(done), f"{call}: {error(done)}")
    check(some.leader().must("get", "key1", "--print-value-only").strip() == "value1", "reads go on, as etcd's do")


def disarm(some):
    some.leader().must("alarm", "disarm")
    some.leader().must("put", "a", "b")


def found_at_the_start():
    with cluster.Cluster([STRATAD] * 3, flags=["--experimental-initial-corrupt-check"], level="3.5") as some:
        fill(some)
        victim = some.follower()
        victim.stop()
        victim.start()  # nothing is wrong yet
        spoil(victim)
        victim.launch()
        victim.wait("its end", lambda: not victim.running())
        check(victim.process.returncode == 1, f"it ended with {victim.process.returncode}")
        check("found data inconsistency with peers" in victim.log_tail(), victim.log_tail())
        check("CORRUPT" not in some.leader().must("alarm", "list"), "an alarm")


def found_by_time(binaries, victims_at):
    """The leader is ours, or etcd's; the other is wrong."""
    flags = ["--experimental-corrupt-check-time=1s"]
    with cluster.Cluster(binaries, flags=flags, level="3.4") as some:
        fill(some)
        victim = some.members[victims_at]
        leader = next(member for member in some.members if member is not victim)
        if some.leader() is not leader:
            some.leader().must("move-leader", f"{leader.id():x}", f"--endpoints={some.endpoints()}")
        check("CORRUPT" not in leader.must("alarm", "list"), "an alarm without a reason")
        victim_id = victim.id()
        spoil(victim)
        victim.start()
        # etcd's own answers do not name it.
        wait_for_alarm(some, victim_id if server.is_ours(leader.binary) else 0)
        check_refusals(some)


def found_after_a_compaction(level):
    flags = ["--experimental-compact-hash-check-enabled", "--experimental-compact-hash-check-time=1s"]
    with cluster.Cluster([STRATAD] * 3, flags=flags, level=level) as some:
        fill(some)
        victim = some.follower()
        victim_id = victim.id()
        spoil(victim)
        victim.start()
        check("CORRUPT" not in some.leader().must("alarm", "list"), "an alarm before the compaction")
        some.leader().must("compact", "5")
        wait_for_alarm(some, victim_id)
        check_refusals(some)
        victim.stop()
        disarm(some)


def main():
    found_at_the_start()
    found_by_time([STRATAD] * 3, 2)
    found_by_time([STRATAD, STRATAD, server.ETCD], 1)
    found_after_a_compaction("3.5")
    found_after_a_compaction("3.4")


if __name__ == "__main__":
    main()
