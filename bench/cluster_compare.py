#!/usr/bin/env python3
"""Loads three members of stratad and three of Debian's etcd in turn, each on
fresh directories, several rounds interleaved; prints the figures (the median of
the rounds) beside the targets.

  bazel build -c opt //cmd:stratad //bench:server_bench
  bench/cluster_compare.py              # --rounds 3 --seconds 3 for figures of record
  bench/cluster_compare.py --deaths 10  # and the time without puts after a leader's death
  bench/cluster_compare.py --join 1000  # alone: a new member gets a store of so many
                                        # MB under 4,000 puts/s, with and without zstd,
                                        # --rounds of them

CPU is that of all three members, per put. Figures move with the machine's load:
compare within a run only.
"""
import argparse
import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "tests/harness")]

import cluster
import server

LOADS = [(1, 1), (64, 8), (512, 32)]  # calls outstanding, connections
TICKS = os.sysconf("SC_CLK_TCK")
PUT_EVERY_S = 0.02


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Run:
    """One cluster under one load after another."""

    def __init__(self, args, some):
        self.args, self.some = args, some

    def bench(self, member, op, outstanding, connections):
        command = [self.args.bench, f"--op={op}", f"--target={member.endpoint}", f"--outstanding={outstanding}",
                   f"--connections={connections}", f"--keys={self.args.keys}", "--warm-up-ms=0",
                   f"--duration-ms={int(self.args.seconds * 1000)}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr}")
        return json.loads(done.stdout)

    def load(self, op, targets, outstanding, connections):
        """CPU of all members per call, calls per second, and latency."""
        pids = [member.process.pid for member in self.some.members]
        before = sum(map(cpu_seconds, pids))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            results = list(pool.map(lambda member: self.bench(member, op, max(1, outstanding // len(targets)),
                                                              max(1, connections // len(targets))), targets))
        used = sum(map(cpu_seconds, pids)) - before
        per_second = sum(result["per_second"] for result in results)
        return {"cpu_us": used * 1e6 / (per_second * self.args.seconds), "per_second": per_second,
                "p50_us": statistics.median(result["p50_us"] for result in results),
                "p99_us": max(result["p99_us"] for result in results)}

    def all(self):
        leader = self.some.leader()
        found = {}
        self.load("put", [leader], 64, 8)  # files and caches are there afterwards
        for outstanding, connections in LOADS:
            found[f"put to the leader, {outstanding}"] = self.load("put", [leader], outstanding, connections)
            if outstanding > 1:
                found[f"put to all, {outstanding}"] = self.load("put", self.some.members, outstanding, connections)
        for op in ("get", "get-serializable"):
            found[f"{op} of all, 64"] = self.load(op, self.some.members, 64, 8)
        return found


class Gaps(threading.Thread):
    """Begins a put every 20 ms, over HTTP to one member after another, and keeps
    when any succeeded."""

    def __init__(self, members):
        super().__init__()
        self.members, self.done, self.stopping = members, [], False

    def put(self, member, number):
        body = json.dumps({"key": base64.b64encode(b"gap%d" % number).decode(), "value": ""})
        connection = http.client.HTTPConnection("127.0.0.1", member.client_port, timeout=5)
        try:
            connection.request("POST", "/v3/kv/put", body)
            if connection.getresponse().status == 200:
                self.done.append(time.monotonic())
        except OSError:
            pass
        finally:
            connection.close()

    def run(self):
        number = 0
        with concurrent.futures.ThreadPoolExecutor(500) as pool:
            while not self.stopping:
                number += 1
                pool.submit(self.put, self.members[number % len(self.members)], number)
                time.sleep(PUT_EVERY_S)

    def longest(self, start):
        times = sorted(at for at in self.done if at >= start)
        return max((later - earlier for earlier, later in zip([start] + times, times)), default=float("inf"))


def death(some):
    """Seconds without a put after kill -9 of the leader."""
    leader = some.leader()
    gaps = Gaps([member for member in some.members if member is not leader])
    gaps.start()
    time.sleep(1)
    start = time.monotonic()
    leader.kill()
    some.leader(30)
    time.sleep(2)
    gaps.stopping = True
    gaps.join()
    leader.start()
    some.check_equal()
    return gaps.longest(start)


JOIN_RATE = 4000
JOIN_VALUE_BYTES = 1800  # two to a page


def puts(args, leader, seconds):
    """What puts at a fixed rate took; `seconds` or, if None, until its input ends."""
    command = [args.bench, "--op=put", f"--target={leader.endpoint}", "--outstanding=64", "--connections=8",
               f"--keys={args.keys}", "--value-bytes=256", f"--rate={JOIN_RATE}", "--warm-up-ms=500"]
    command += ["--until-input-ends"] if seconds is None else [f"--duration-ms={int(seconds * 1000)}"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ended(load):
    output, _ = load.communicate()
    if load.returncode:
        raise SystemExit("the load failed")
    return json.loads(output)


def sent_bytes(member, to):
    page = http.client.HTTPConnection("127.0.0.1", member.client_port, timeout=20)
    page.request("GET", "/metrics")
    wanted = f'etcd_network_peer_sent_bytes_total{{To="{to.member_id:x}"}}'
    lines = page.getresponse().read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))


def join(args, compressed):
    """A learner comes to a store of args.join MB; what its snapshot took, and the puts beside it."""
    flags = ["--log-level=info", "--snapshot-catchup-entries=1000", "--snapshot-count=10000",
             "--quota-backend-bytes=8589934592",
             f"--snapshot-send-compressed={'true' if compressed else 'false'}"]
    with cluster.Cluster([args.stratad] * 3, flags=flags) as some:
        leader = some.leader()
        fill = [args.bench, "--op=put", f"--target={leader.endpoint}", "--outstanding=64", "--connections=8",
                f"--keys={args.join << 20}", f"--value-bytes={JOIN_VALUE_BYTES}", "--warm-up-ms=0",
                f"--calls={(args.join << 20) // JOIN_VALUE_BYTES}", "--duration-ms=600000"]
        subprocess.run(fill, check=True, stdout=subprocess.DEVNULL)
        time.sleep(2)
        term = leader.status()["raftTerm"]
        before = ended(puts(args, leader, 20))  # about as long as it then takes
        load = puts(args, leader, None)
        time.sleep(2)
        start = time.monotonic()
        learner = some.add(args.stratad, through=leader)
        cluster.wait("the snapshot", lambda: "received a snapshot" in learner.log(), 300, learner.log_tail)
        took, sent = time.monotonic() - start, sent_bytes(leader, learner)
        cluster.wait("the new member", lambda: "installed a snapshot" in learner.log(), 300, learner.log_tail)
        during = ended(load)
        changed = leader.status()["raftTerm"] != term or some.leader() is not leader
        some.promote(learner, through=leader)  # a learner does not tell its hash
        some.check_equal(120)
    print(f"join, {'zstd' if compressed else 'plain'}: {args.join} MB in {took:.1f} s, {sent / 1e6:.0f} MB sent to it; "
          f"{JOIN_RATE} puts/s: p50 {before['p50_us']:.0f} -> {during['p50_us']:.0f} us, p99 {before['p99_us']:.0f} -> "
          f"{during['p99_us']:.0f} us; the leader {'has changed' if changed else 'is the same'}", flush=True)
    return {"changed": changed, "before": before["p99_us"], "during": during["p99_us"]}


def joins(args):
    """Whether the targets are kept: the medians of all rounds, as one stall is a round's 99th percentile."""
    found = [join(args, compressed) for _ in range(args.rounds) for compressed in (True, False)]
    before, during = (statistics.median(one[when] for one in found) for when in ("before", "during"))
    targets = {"no other leader": not any(one["changed"] for one in found),
               f"p99 at most doubled: {before:.0f} -> {during:.0f} us": during <= 2 * before}
    for what, kept in targets.items():
        print("ok    " if kept else "MISSED", what)
    return all(targets.values())


def targets(found):
    for what, samples in found["strata"].items():
        theirs = found["etcd"][what]
        median = lambda side, key: statistics.median(sample[key] for sample in side)
        if what.startswith("put"):
            yield f"{what}: CPU us of all members, <= 0.5 of etcd's", median(samples, "cpu_us"), 0.5 * median(theirs, "cpu_us")
        if what == "put to the leader, 1":
            yield f"{what}: p50 us, <= 0.6 of etcd's", median(samples, "p50_us"), 0.6 * median(theirs, "p50_us")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--keys", type=int, default=10000)
    parser.add_argument("--deaths", type=int, default=0)
    parser.add_argument("--join", type=int, default=0, metavar="MB")
    parser.add_argument("--bench", default=str(TOP / "bazel-bin/bench/server_bench"))
    parser.add_argument("--stratad", default=str(TOP / "bazel-bin/cmd/stratad"))
    args = parser.parse_args()
    if args.join:
        sys.exit(not joins(args))
    binaries = {"strata": args.stratad, "etcd": server.ETCD}
    found = {name: {} for name in binaries}
    gaps = {name: [] for name in binaries}
    for _ in range(args.rounds):
        for name, binary in binaries.items():
            with cluster.Cluster([binary] * 3, flags=["--log-level=error"]) as some:
                for what, result in Run(args, some).all().items():
                    found[name].setdefault(what, []).append(result)
    for name, binary in binaries.items():
        if args.deaths:
            with cluster.Cluster([binary] * 3, flags=["--log-level=error"]) as some:
                gaps[name] = sorted(death(some) for _ in range(args.deaths))
    for what in found["strata"]:
        for name in binaries:
            middle = {key: statistics.median(sample[key] for sample in found[name][what]) for key in found[name][what][0]}
            print(f"{name:7} {what:25} " + "  ".join(f"{key} {value:10.1f}" for key, value in middle.items()))
    for name, times in gaps.items():
        if times:
            print(f"{name:7} without puts after a leader's death: median {statistics.median(times):.2f} s, "
                  f"longest {times[-1]:.2f} s")
    missed = 0
    for what, ours, allowed in targets(found):
        missed += ours > allowed
        print(f"{'ok    ' if ours <= allowed else 'MISSED'} {what}: {ours:.1f} of {allowed:.1f}")
    if gaps["strata"]:
        ours, theirs = gaps["strata"], gaps["etcd"]
        for what, value, allowed in (("median", statistics.median(ours), 2), ("longest", ours[-1], min(4, theirs[-1]))):
            missed += value > allowed
            print(f"{'ok    ' if value <= allowed else 'MISSED'} {what} time without puts: {value:.2f} of {allowed:.2f} s")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
