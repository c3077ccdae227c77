#!/usr/bin/env python3
"""Watches stratad and Debian's etcd in turn, each on a fresh directory, several
rounds; prints the figures (the median of the rounds) beside the targets.

  bazel build -c opt //cmd:stratad //bench:watch_bench
  bench/watch_compare.py              # --rounds 3 --scale 1 for figures of record

--scale 0.1 makes a tenth of the watchers, the history and the time.
"""
import argparse
import json
import statistics
import subprocess
import sys

import server_compare as common

BENCH = common.TOP / "bazel-bin/bench/watch_bench"
STRATAD = common.TOP / "bazel-bin/cmd/stratad"


def cases(scale):
    milliseconds = max(2000, int(10000 * scale))
    return {
        "1 key": ["--op=deliver", f"--watchers={int(1000 * scale)}", "--streams=100", "--rate=200",
                  f"--duration-ms={milliseconds}"],
        "distinct keys": ["--op=deliver", "--distinct-keys", f"--watchers={int(10000 * scale)}", "--streams=100",
                          "--rate=4000", f"--duration-ms={milliseconds}"],
        "catch-up": ["--op=catch-up", "--streams=100", f"--history={int(500000 * scale)}", "--rate=4000",
                     f"--duration-ms={milliseconds}"],
    }


def run(name, binary, flags, extra, directory):
    address = f"127.0.0.1:{common.free_port()}"
    command = [binary, *common.member_flags(directory, address), *extra]
    with common.Process(command, address, directory) as server:
        done = subprocess.run([str(BENCH), *flags, f"--target={address}", f"--server-pid={server.process.pid}"],
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr}")
        return json.loads(done.stdout)


def verdicts(found):
    """(what, ours, allowed, whether that is enough)."""
    for case, (ours, theirs) in found.items():
        rate = "events_per_cpu_second"
        yield f"{case}: events per CPU second, >= 3 of etcd's", ours[rate], 3 * theirs[rate], ours[rate] >= 3 * theirs[rate]
        memory = ours["anon_kib"], 0.4 * theirs["anon_kib"]
        yield f"{case}: memory, KiB, <= 0.4 of etcd's", *memory, memory[0] <= memory[1]
        if "alone_put_p99_us" in ours:
            p99 = ours["put_p99_us"], 1.5 * ours["alone_put_p99_us"]
            yield f"{case}: put p99, us, <= 1.5 of without", *p99, p99[0] <= p99[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--etcd", default="/usr/bin/etcd")
    parser.add_argument("--stratad", default=str(STRATAD))
    parser.add_argument("--cases", nargs="*")
    parser.add_argument("--json", help="a file for all figures")
    args = parser.parse_args()
    import tempfile
    found, samples = {}, {}
    for case, flags in cases(args.scale).items():
        if args.cases and case not in args.cases:
            continue
        sides = {"strata": [], "etcd": []}
        for _ in range(args.rounds):
            for name, binary, extra in (("strata", args.stratad, ["--log-level=error"]),
                                        ("etcd", args.etcd, ["--logger=zap", "--log-level=error"])):
                directory = tempfile.mkdtemp(prefix="strata-watch-bench-")
                sides[name].append(run(name, binary, flags, extra, directory))
                print(case, name, json.dumps(sides[name][-1]), flush=True)
        samples[case] = sides
        found[case] = [{key: statistics.median(sample[key] for sample in sides[name]) for key in sides[name][0]}
                       for name in ("strata", "etcd")]
    rows = [(what, f"{ours:,.0f}", f"{allowed:,.0f}", "PASS" if good else "MISS")
            for what, ours, allowed, good in verdicts(found)]
    print(common.table(rows, ["target", "ours", "allowed", ""]))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(samples, out, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
