"""Changes of members that others get wrong: membership_test.py STRATAD

A single member grows while it serves; an address where nobody is never costs
the quorum; a cluster that has lost its quorum is made anew from one member,
ours or etcd's; learners are promoted when asked to be; errors are etcd's.
"""
import json
import os
import pathlib
import sys
import threading
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import cluster
import server

FLAGS = ["--snapshot-count=100"]


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def text(done):
    return (done.stdout + done.stderr).decode(errors="replace")


def must_fail(done, expected):
    check(done.returncode != 0, f"not refused: {expected}")
    check(expected in text(done), f"{text(done)!r} lacks {expected!r}")


def fill(member, first, count):
    for number in range(first, first + count):
        member.must("put", f"key{number % 23}", f"value{number}")


class Writer:
    """Puts through one member without a stop; every one must succeed."""

    def __init__(self, member):
        self.member = member
        self.count = 0
        self.slowest = 0.0
        self.errors = []
        self.stopping = False
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.thread.join()

    def run(self):
        while not self.stopping:
            began = time.monotonic()
            done = self.member.ctl("put", f"written{self.count}", "x")
            self.slowest = max(self.slowest, time.monotonic() - began)
            if done.returncode != 0:
                self.errors.append(text(done))
            self.count += 1


def a_single_member_grows(stratad, others):
    """Nothing is stopped, no put fails, leases keep their time."""
    with cluster.Cluster([stratad], flags=FLAGS) as some:
        first = some.members[0]
        fill(first, 0, 150)
        lease = first.must("lease", "grant", "600").split()[1]
        first.must("put", "--lease", lease, "leased", "x")
        with Writer(first) as writer:
            for binary in others:
                some.promote(some.add(binary))
            fill(first, 150, 50)
        check(not writer.errors, f"puts failed while it grew: {writer.errors[:3]}")
        check(writer.count > 10, "the load was none")
        left = first.must("lease", "timetolive", lease)
        check("granted with TTL(600s), remaining(5" in left, left)
        some.check_equal()
        for member in some.members:
            check(member.must("get", "written0", "--print-value-only") == "x\n", member.name)
            member.must("put", f"through-{member.name}", "x")
        print(f"grew to {len(some.members)} under {writer.count} puts, the slowest {writer.slowest:.2f} s")
        # The one that was alone is one of several now, and may go.
        first.kill()
        cluster.wait("a put without it", lambda: some.members[1].ctl("put", "a", "b", "--command-timeout=1s").returncode == 0)
        first.start()
        some.check_equal()


def an_unreachable_address_costs_nothing(stratad):
    dead = f"http://127.0.0.1:{server.free_port()}"
    with cluster.Cluster([stratad]) as some:
        member = some.members[0]
        must_fail(member.ctl("member", "add", "x", f"--peer-urls={dead}"),
                  "the new member does not answer")
        must_fail(member.ctl("member", "add", "x", "--peer-urls=ftp://127.0.0.1:1"), "URL")
        check(len(member.must("member", "list").splitlines()) == 1, "it was added")
        member.must("put", "still", "there")
        # A learner costs nothing, and cannot be promoted before it has come.
        learner = json.loads(member.must("member", "add", "x", f"--peer-urls={dead}", "--learner",
                                         "--write-out=json"))["member"]["ID"]
        member.must("put", "still", "there")
        must_fail(member.ctl("member", "promote", f"{learner:x}"),
                  "can only promote a learner member which is in sync with leader")
        member.must("member", "remove", f"{learner:x}")
        member.must("put", "still", "there")


def one_that_has_gone_is_not_promoted(stratad):
    with cluster.Cluster([stratad]) as some:
        first = some.members[0]
        learner = some.add(stratad)
        learner.wait("caught up", lambda: "still" in learner.ctl("get", "still", "--consistency=s").stdout.decode()
                     or first.must("put", "still", "x") is None)
        learner.kill()
        # The connection's end is noticed within some heartbeats.
        def refused():
            done = first.ctl("member", "promote", f"{learner.member_id:x}")
            check(done.returncode != 0, "a dead learner was promoted: the quorum is lost")
            return "in sync with leader" in text(done)
        time.sleep(1)
        cluster.wait("refusal", refused)
        first.must("put", "still", "there")
        learner.launch()
        some.promote(learner)
        some.check_equal()


def learners_are_promoted_when_asked(stratad):
    with cluster.Cluster([stratad], flags=["--auto-promote-learners"]) as some:
        first = some.members[0]
        fill(first, 0, 20)
        learner = some.add(stratad)
        learner.wait("a voter", lambda: b"true" not in first.ctl("member", "list").stdout and learner.healthy(), 20)
        learner.must("put", "through", "it")
        some.check_equal()


def a_pair_is_repaired(stratad, survivor, alone):
    """One of three is left, with entries that nobody else has; it goes on alone
    as `alone`, and grows again."""
    with cluster.Cluster([survivor] * 3, flags=FLAGS) as some:
        fill(some.leader(), 0, 130)
        some.check_equal()
        keeper = some.leader()
        others = [member for member in some.members if member is not keeper]
        for member in others:
            member.kill()
        lost = keeper.ctl("put", "lost", "x", "--command-timeout=1s")
        check(lost.returncode != 0, "a minority took a put")
        ids = [line.split(",")[0] for line in keeper.must("member", "list").splitlines()]
        keeper.kill()
        some.members, some.gone = [keeper], some.gone + others
        keeper.binary = str(alone)
        keeper.flags = keeper.flags + ["--force-new-cluster"]
        keeper.start()
        listed = keeper.must("member", "list").splitlines()
        check(len(listed) == 1 and listed[0].split(",")[0] in ids, listed)
        check(keeper.must("get", "lost") == "", "what was not agreed on is there")
        check(keeper.must("get", "key0", "--print-value-only") == "value115\n", "what was agreed on is gone")
        fill(keeper, 130, 20)
        # And once more with the flag, and without: it is a cluster of one.
        keeper.stop()
        keeper.start()
        keeper.stop()
        keeper.flags.remove("--force-new-cluster")
        keeper.start()
        check(keeper.must("get", "key0", "--print-value-only") == "value138\n", "an acknowledged put is gone")
        some.promote(some.add(stratad))
        some.check_equal()
        # The program that made the cluster can have the directory back.
        keeper.become(survivor)
        some.check_equal()


def two_members_are_repaired(stratad):
    """One of two is lost: nothing that was acknowledged is, and it cannot disturb
    what comes after it, even with its old directory."""
    with cluster.Cluster([stratad] * 2, flags=FLAGS) as some:
        fill(some.leader(), 0, 130)
        keeper, lost = some.leader(), some.follower()
        lost.kill()
        check(keeper.ctl("put", "a", "b", "--command-timeout=1s").returncode != 0, "one of two took a put")
        check(keeper.must("get", "key0", "--consistency=s", "--print-value-only") == "value115\n", "no reads")
        # Nobody can agree to its removal: only the flag helps.
        must_fail(keeper.ctl("member", "remove", f"{member_of(keeper, lost):x}", "--command-timeout=1s"), "")
        keeper.kill()
        some.members, some.gone = [keeper], [lost]
        keeper.flags = keeper.flags + ["--force-new-cluster"]
        keeper.start()
        check(len(keeper.must("member", "list").splitlines()) == 1, "the lost one is a member")
        for number in range(107, 130):
            read = keeper.must("get", f"key{number % 23}", "--print-value-only")
            check(read == f"value{number}\n", f"an acknowledged put is gone: {read}")
        keeper.flags = keeper.flags[:-1]
        keeper.stop()
        keeper.start()
        # Two again, and as many can be lost as before: none.
        fresh = some.add(stratad)
        some.promote(fresh)
        fill(fresh, 130, 30)
        some.check_equal()
        lost.launch()
        cluster.wait("the lost one's end", lambda: lost.process.poll() is not None, 20, lost.log_tail)
        check(lost.process.returncode == 1 and "permanently removed" in lost.log(), lost.log_tail())
        fill(keeper, 160, 10)
        some.check_equal()
        check(len(keeper.must("member", "list").splitlines()) == 2, "not two")


def member_of(asked, member):
    """The id of `member`, which may be down, as `asked` knows it."""
    listed = json.loads(asked.must("member", "list", "--write-out=json"))["members"]
    return next(one["ID"] for one in listed if one["name"] == member.name)


def a_learner_alone_becomes_a_voter(stratad):
    with cluster.Cluster([stratad]) as some:
        first = some.members[0]
        fill(first, 0, 20)
        learner = some.add(stratad)
        learner.wait("caught up", lambda: b"value19" in learner.ctl("get", "key19", "--consistency=s").stdout)
        first.kill()
        learner.kill()
        some.members, some.gone = [learner], [first]
        learner.flags = learner.flags + ["--force-new-cluster"]
        learner.start()
        check(learner.must("get", "key19", "--print-value-only") == "value19\n", "the data are gone")
        learner.must("put", "a", "b")


def answers(binary):
    """What a cluster of `binary` says to changes that it refuses: (call, last line)."""
    said = []

    def ask(member, *arguments):
        done = member.ctl("member", *arguments, "--command-timeout=5s")
        last = (text(done).strip().splitlines() or [""])[-1]
        said.append((arguments[0], done.returncode, last if done.returncode else ""))
        return done

    dead = "http://127.0.0.1:1"
    with cluster.Cluster([binary]) as some:
        one = some.members[0]
        own = f"{one.id():x}"
        ask(one, "remove", own)
        ask(one, "remove", "123")
        ask(one, "promote", own)
        ask(one, "promote", "123")
        ask(one, "update", "123", f"--peer-urls={dead}")
        ask(one, "add", "x", f"--peer-urls={one.peer_url}")
        ask(one, "add", "x", f"--peer-urls={one.peer_url}", "--learner")
        ask(one, "update", own, f"--peer-urls={one.peer_url}")
        done = one.ctl("move-leader", "123")
        said.append(("move-leader", done.returncode, text(done).strip().splitlines()[-1].replace(own, "OWN")))
    with cluster.Cluster([binary] * 3) as some:
        leader = some.leader()
        down, up = [member for member in some.members if member is not leader]
        ids = {member.name: f"{member.id():x}" for member in some.members}
        ask(leader, "update", ids[up.name], f"--peer-urls={down.peer_url}")
        # etcd refuses changes for five seconds after a start.
        cluster.wait("a learner", lambda: b"added" in leader.ctl("member", "add", "l", "--learner", f"--peer-urls={dead}").stdout)
        ask(leader, "add", "x", "--learner", "--peer-urls=http://127.0.0.1:2")
        time.sleep(1.1)  # ids are made of the URLs and the second
        ask(leader, "add", "x", f"--peer-urls={dead}")
        listed = json.loads(leader.must("member", "list", "--write-out=json"))["members"]
        learner = next(one["ID"] for one in listed if one.get("isLearner"))
        ask(up, "promote", f"{learner:x}")
        ask(up, "remove", f"{learner:x}")
        ask(up, "remove", f"{learner:x}")
        ask(leader, "promote", f"{learner:x}")
        ask(up, "update", f"{learner:x}", "--peer-urls=http://127.0.0.1:3")
        down.kill()
        # Noticed when the connections end, or a little later. A voter added in
        # between would, with this one down, cost the quorum; in etcd too.
        time.sleep(1)
        ask(leader, "add", "x", "--peer-urls=http://127.0.0.1:5")
        ask(leader, "remove", ids[up.name])
        ask(leader, "remove", ids[down.name])
        some.members.remove(down)
        some.gone.append(down)
        # Two are left, and both are needed.
        leader.must("put", "still", "there")
    return said


def errors_are_etcds(stratad):
    theirs, ours = answers(server.ETCD), answers(stratad)
    for their, our in zip(theirs, ours):
        check(their == our, f"etcd: {their}\nours: {our}")
    check(len(theirs) == len(ours) and sum(1 for _, code, _ in theirs if code) > 14, theirs)


def main():
    stratad = sys.argv[1]
    only = sys.argv[2:]
    steps = {
        "grow": lambda: a_single_member_grows(stratad, [stratad, server.ETCD]),
        "unreachable": lambda: an_unreachable_address_costs_nothing(stratad),
        "gone": lambda: one_that_has_gone_is_not_promoted(stratad),
        "errors": lambda: errors_are_etcds(stratad),
        "auto": lambda: learners_are_promoted_when_asked(stratad),
        "force-ours": lambda: a_pair_is_repaired(stratad, stratad, stratad),
        "force-etcd": lambda: a_pair_is_repaired(stratad, server.ETCD, stratad),
        "two": lambda: two_members_are_repaired(stratad),
        "force-learner": lambda: a_learner_alone_becomes_a_voter(stratad),
    }
    for name, step in steps.items():
        if only and name not in only:
            continue
        start = time.monotonic()
        step()
        print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
