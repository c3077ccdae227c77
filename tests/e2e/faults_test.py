"""Members as processes, on a network that is cut, killed, and with a full disk:

    faults_test.py STRATAD RECORDER NETNS [long [SECONDS]]

Clients write down what they do all the time, at all members, and in the end
their history is checked (tests/history/history.h); then it is spoiled, to see
that the check finds that. Short: three members; the leader is killed, then cut
off. Long: three and five members, every fault there is, over and over for
SECONDS. FAULTS=name,name names those to be made, SEED what chance does.

All of it is in user, mount and network namespaces of its own.
"""
import os
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import cluster
import server

INSIDE = "STRATA_FAULTS_INSIDE"
FLAGS = ["--snapshot-count=2000", "--snapshot-catchup-entries=200"]
# A leader's death is noticed and another elected well within this.
SOON_S = 10
# Some seconds under each fault, some without any.
UNDER_S = 2.5
AFTER_S = 1
# Room for the log and the database of what full_disk puts.
SMALL_DISK = "size=800m"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


class Member(cluster.Member):
    """In a network namespace of its own."""

    def __init__(self, binary, number, level):
        super().__init__(binary, f"m{number}", flags=FLAGS, level=level,
                         wrap=["nsenter", f"--net=/run/netns/strata{number}"])
        self.number = number
        self.host = f"10.91.0.{number + 1}"
        self.client_port, self.peer_port = 2379, 2380
        self.fixed_port = self.client_port


class Members(cluster.Cluster):
    def __init__(self, binary, count, netns, level):
        super().__init__([], level=level)
        self.netns = netns
        run(netns, "net", str(count))
        self.members = [Member(binary, number, level) for number in range(count)]
        # What the last has to write on fills up.
        run("mkdir", "-p", str(self.members[-1].data_dir))
        run("mount", "-t", "tmpfs", "-o", SMALL_DISK, "none", str(self.members[-1].data_dir))
        for member in self.members:
            member.initial = self.initial_cluster(self.members)

    def close(self):
        for member in self.members:
            if member.running():
                member.kill()
        subprocess.run(["umount", str(self.members[-1].data_dir)], check=False)
        super().close()
        subprocess.run([self.netns, "down"], check=False, capture_output=True)

    def cut(self, one, other, both=True):
        run(self.netns, "cut" if both else "cut-from", str(one.number), str(other.number))

    def heal(self):
        run(self.netns, "heal")

    def others(self, *but):
        return [member for member in self.members if member not in but]


class Recorder:
    """The clients; `with` lets them work."""

    def __init__(self, binary, path, seed, some):
        self.binary, self.path = binary, path
        self.endpoints = [member.endpoint for member in some.members]
        self.process = subprocess.Popen([binary, "record", str(path), str(seed), *self.endpoints],
                                        stdin=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            check(self.process.wait(60) == 0, "the clients did not end well")
        finally:
            self.process.kill()

    def check(self):
        run(self.binary, "show", str(self.path), *self.endpoints)
        print(run(self.binary, "check", str(self.path)), end="")

    def check_finds(self, spoil):
        """The history is spoiled by a function of its lines: that is found."""
        spoiled = self.path.with_suffix(".spoiled")
        lines = self.path.read_text().splitlines()
        spoil(lines)
        spoiled.write_text("\n".join(lines) + "\n")
        done = subprocess.run([self.binary, "check", str(spoiled)], capture_output=True, text=True)
        check(done.returncode == 1 and "violation: " in done.stdout, f"not found: {done.stdout}{done.stderr}")
        print("spoiled:", done.stdout.splitlines()[-1][:160])


def works(member, timeout_s=SOON_S):
    """Seconds until a put through `member` succeeds."""
    start = time.monotonic()
    def put():
        # No value is put twice.
        return member.ctl("put", "works", str(time.monotonic_ns()), "--command-timeout=1s").returncode == 0
    cluster.wait("a put", put, timeout_s, member.log_tail)
    return time.monotonic() - start


# --- faults: each is given the cluster, and leaves it whole ---

def kill(some, victim):
    victim.kill()
    took = works(some.others(victim)[0])
    time.sleep(UNDER_S)
    victim.start()
    return took


def kill_leader(some):
    return kill(some, some.leader())


def kill_follower(some):
    return kill(some, some.follower())


def isolate(some, victim):
    for other in some.others(victim):
        some.cut(victim, other)
    took = works(some.others(victim)[0])
    time.sleep(UNDER_S)
    some.heal()
    return took


def isolate_leader(some):
    return isolate(some, some.leader())


def isolate_follower(some):
    return isolate(some, some.follower())


def one_way(some, victim, outwards):
    """What the victim sends is lost, or what is sent to it."""
    for other in some.others(victim):
        some.cut(*((victim, other) if outwards else (other, victim)), both=False)
    took = works(some.others(victim)[0])
    time.sleep(UNDER_S)
    some.heal()
    return took


def leader_is_not_heard(some):
    return one_way(some, some.leader(), True)


def leader_does_not_hear(some):
    return one_way(some, some.leader(), False)


def follower_is_not_heard(some):
    return one_way(some, some.follower(), True)


def split(some, minority):
    majority = some.others(*minority)
    for one in minority:
        for other in majority:
            some.cut(one, other)
    took = works(majority[0])
    time.sleep(UNDER_S)
    some.heal()
    return took


def leader_in_the_minority(some):
    leader = some.leader()
    return split(some, [leader, *some.others(leader)[:(len(some.members) - 1) // 2 - 1]])


def leader_in_the_majority(some):
    leader = some.leader()
    return split(some, some.others(leader)[:(len(some.members) - 1) // 2])


def no_majority(some):
    """A ring of cuts: nobody reaches a quorum of others, then all do."""
    for one in some.members:
        for other in some.members[one.number + 1:]:
            some.cut(one, other)
    time.sleep(UNDER_S)
    some.heal()
    return 0


def rolling_restart(some):
    for member in some.members:
        check(member.stop() == 0, f"{member.name} did not end well")
        works(some.others(member)[0])
        member.start()
    return 0


def full_disk(some):
    """The last member leads, then its disk is full: another leads and serves."""
    victim = some.members[-1]
    leader = some.leader()
    if leader is not victim:
        leader.must("move-leader", f"{victim.id():x}", f"--endpoints={some.endpoints()}")
        cluster.wait("the victim leads", lambda: some.leader() is victim)
    filler = victim.data_dir / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], capture_output=True)
    start, number = time.monotonic(), 0
    # The log's next segment is written ahead: that is filled first.
    while some.leader() is victim:
        number += 1
        check(number < 200, "the disk does not get full")
        value = f"big-{time.monotonic_ns()}-".encode()
        some.others(victim)[0].ctl("put", f"big{number % 5}", "--command-timeout=3s", stdin=value.ljust(1 << 20, b"x"))
    took = works(some.others(victim)[0])
    check("NOSPACE" not in some.others(victim)[0].must("alarm", "list"), "a full disk is no alarm of the cluster")
    print(f"    led until {number} MiB more were put, {time.monotonic() - start:.1f} s")
    time.sleep(UNDER_S)
    filler.unlink()
    return took


SHORT = [kill_leader, isolate_leader]
ALL = [kill_leader, kill_follower, isolate_leader, isolate_follower, leader_is_not_heard, leader_does_not_hear,
       follower_is_not_heard, leader_in_the_minority, leader_in_the_majority, no_majority, rolling_restart, full_disk]


def spoil_a_write(lines):
    """As if an acknowledged write had been lost."""
    at = next(at for at in reversed(range(len(lines))) if lines[at].startswith("put "))
    words = lines[at].split()
    words[-1] = "lost-value"
    lines[at] = " ".join(words)


def spoil_a_read(lines):
    """As if a linearizable read had been answered by a member that was behind."""
    number = lambda word: int(word)
    reads = [at for at, line in enumerate(lines) if line.startswith("get ") and line.split()[8] == "l"]
    old, new = reads[0], reads[-1]
    words = lines[old].split()
    words[1:3] = lines[new].split()[1:3]
    check(number(words[5]) < number(lines[new].split()[5]), "nothing has happened")
    lines[old] = " ".join(words)


def run_cluster(binaries, count, faults, until, seed):
    stratad, recorder, netns = binaries
    with Members(stratad, count, netns, os.environ.get("LEVEL", "3.5")) as some:
        path = server.scratch("strata-history-") / "history"
        print(f"{count} members, history in {path}", flush=True)
        with Recorder(recorder, path, seed, some) as clients:
            time.sleep(AFTER_S)
            while True:
                for fault in faults:
                    start = time.monotonic()
                    took = fault(some)
                    some.leader()
                    for member in some.members:
                        works(member)
                    time.sleep(AFTER_S)
                    print(f"  {fault.__name__}: {time.monotonic() - start:.1f} s, a put after {took:.1f} s", flush=True)
                random.shuffle(faults)
                if time.monotonic() > until:
                    break
        some.check_equal()
        clients.check()
        clients.check_finds(spoil_a_write)
        clients.check_finds(spoil_a_read)
        for file in path.parent.iterdir():
            file.unlink()
        path.parent.rmdir()


def main():
    if INSIDE not in os.environ:
        command = ["unshare", "--user", "--map-root-user", "--mount", "--net", sys.executable, *sys.argv]
        os.execvpe(command[0], command, {**os.environ, INSIDE: "1"})
    run("mount", "-t", "tmpfs", "none", "/run")
    os.mkdir("/run/netns")
    run("ip", "link", "set", "lo", "up")
    binaries = [os.path.abspath(path) for path in sys.argv[1:4]]
    long = sys.argv[4:5] == ["long"]
    seconds = float(sys.argv[5]) if sys.argv[5:] else 0
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1, 1 << 32)
    random.seed(seed)
    print(f"SEED={seed}")
    names = os.environ.get("FAULTS", "")
    faults = [fault for fault in ALL if fault.__name__ in names.split(",")] or (ALL if long else SHORT)
    for count in [3, 5] if long else [3]:
        run_cluster(binaries, count, list(faults), time.monotonic() + seconds / 2, seed + count)


if __name__ == "__main__":
    main()
