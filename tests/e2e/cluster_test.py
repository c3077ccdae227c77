"""Three members of ours as processes: cluster_test.py STRATAD

Writes and reads at any of them, a leader and a follower killed, members added,
promoted, moved and removed by etcdctl, a follower that needs a snapshot; and
all equal at the end of each.
"""
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import cluster
import server

# Snapshots after few entries, so that a follower that was away needs one.
FLAGS = ["--snapshot-count=30", "--snapshot-catchup-entries=5"]


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def error(done):
    return done.stderr.decode(errors="replace")


def put_until_done(member, key, value, timeout_s=20):
    """Seconds until a put through `member` succeeds."""
    start = time.monotonic()
    cluster.wait(f"put {key}", lambda: member.ctl("put", key, value, "--command-timeout=1s").returncode == 0, timeout_s)
    return time.monotonic() - start


def any_member_serves(some):
    for number, member in enumerate(some.members):
        member.must("put", f"key{number}", f"value{number}")
    for member in some.members:
        for number in range(len(some.members)):
            value = member.must("get", f"key{number}", "--print-value-only").strip()
            check(value == f"value{number}", f"{member.name} has {value!r}")
    some.check_equal()


def leases_live_through_followers(some):
    follower = some.follower()
    lease = follower.must("lease", "grant", "60").split()[1]
    follower.must("put", "--lease", lease, "leased", "x")
    kept = follower.must("lease", "keep-alive", "--once", lease)
    check("keepalived with TTL(60)" in kept, kept)
    left = follower.must("lease", "timetolive", lease, "--keys")
    check("granted with TTL(60s)" in left and "leased" in left, left)
    some.leader().must("lease", "revoke", lease)
    check(follower.must("get", "leased") == "", "a revoked lease's key is there")


def a_killed_leader_is_replaced(some):
    leader = some.leader()
    leader.kill()
    other = some.running()[0]
    print(f"a put after the leader's death took {put_until_done(other, 'after', 'death'):.2f} s")
    for number in range(10):
        other.must("put", f"without{number}", "x")
    leader.start()
    check(leader.must("get", "without9", "--print-value-only").strip() == "x", "it has caught up")
    some.check_equal()


def a_follower_gets_a_snapshot(some):
    follower = some.follower()
    follower.kill()
    leader = some.leader()
    txn = "\n\n" + "\n".join(f"put bulk{number} {'x' * 100}" for number in range(100)) + "\n\n\n"
    for number in range(45):
        leader.must("put", f"missed{number}", str(number))
    leader.must("txn", stdin=txn.encode())
    follower.start()
    follower.wait("a snapshot", lambda: "installed a snapshot" in follower.log())
    some.check_equal()
    check(follower.must("get", "missed44", "--consistency=s", "--print-value-only").strip() == "44", "it is there")


def members_change(some, stratad):
    learner = some.add(stratad)
    refused = learner.ctl("put", "through", "learner", "--command-timeout=2s")
    check(refused.returncode != 0, "a learner served a put")
    done = some.ctl("member", "add", "another", "--learner", "--peer-urls=http://127.0.0.1:1")
    check("too many learner members in cluster" in error(done), error(done))
    done = some.ctl("member", "add", "another", f"--peer-urls={learner.peer_url}")
    check("Peer URLs already exists" in error(done), error(done))
    some.promote(learner)
    learner.must("put", "through", "member")
    done = some.ctl("member", "promote", f"{learner.member_id:x}")
    check("can only promote a learner member" in error(done), error(done))
    done = some.ctl("member", "promote", "123")
    check("member not found" in error(done), error(done))
    some.check_equal()
    some.remove(learner)
    check(len(some.ctl("member", "list").stdout.splitlines()) == 3, "the member is still listed")
    # A removed member never comes back.
    learner.launch()
    cluster.wait("refusal", lambda: not learner.running(), 20, learner.log_tail)
    some.check_equal()


def leadership_moves(some):
    leader, follower = some.leader(), some.follower()
    done = follower.ctl("move-leader", f"{leader.id():x}", f"--endpoints={follower.endpoint}")
    check(done.returncode != 0, "a follower moved the leader")
    leader.must("move-leader", f"{follower.id():x}", f"--endpoints={some.endpoints()}")
    some.leader()
    follower.wait("leads", lambda: some.leader() is follower)
    some.check_equal()


def no_quorum_no_answer(some):
    survivor, *others = some.members
    # etcdctl asks for a leader when it watches.
    watch = subprocess.Popen([server.ETCDCTL, f"--endpoints={survivor.endpoint}", "watch", "a"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                             env=server.clean_environment())
    time.sleep(0.5)
    for member in others:
        member.kill()
    _, said = watch.communicate(timeout=30)
    check(b"etcdserver: no leader" in said, f"the watch ended with {said}")
    done = survivor.ctl("put", "lost", "x", "--command-timeout=1s")
    check(done.returncode != 0, "a minority took a put")
    check(survivor.ctl("get", "key0", "--consistency=l", "--command-timeout=1s").returncode != 0,
          "a minority served a linearizable read")
    check(survivor.must("get", "key0", "--consistency=s", "--print-value-only").strip() == "value0",
          "a minority serves a serializable read")
    for member in others:
        member.launch()
    put_until_done(survivor, "back", "x", 30)
    for member in others:
        member.wait("healthy", member.healthy)
    some.check_equal()


def main():
    stratad = sys.argv[1]
    with cluster.Cluster([stratad] * 3, flags=FLAGS, level=os.environ.get("LEVEL", "3.5")) as some:
        for step in (any_member_serves, leases_live_through_followers, leadership_moves, a_killed_leader_is_replaced,
                     a_follower_gets_a_snapshot, lambda c: members_change(c, stratad), no_quorum_no_answer):
            start = time.monotonic()
            step(some)
            print(f"{getattr(step, '__name__', step)}: {time.monotonic() - start:.1f} s", flush=True)
        for member in some.members:
            check(member.stop() == 0, f"{member.name} did not end well")


if __name__ == "__main__":
    main()
