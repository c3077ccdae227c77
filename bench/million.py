#!/usr/bin/env python3
"""What a million keys cost: memory, restart, counts, compaction, a full scan.
Loads etcd and stratad in turn with the same keys (32 bytes) and values (256),
measures both, prints a table of targets, and writes
bench/results/DATE-million.{md,json,html}.

  bazel build -c opt //cmd:stratad //bench:server_bench //bench:store_bench
  bench/million.py                   # --keys 100000 for a short one

Figures move with the machine's load: compare within a run only.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import plots
import server_compare as base

TOP = base.TOP
VALUE_BYTES, KEY_BYTES = 256, 32
# The key of a revision, and what a KeyValue has beside key and value.
REVISION_BYTES, FIELD_BYTES = 17, 15
PUTS_PER_SECOND = 4000
SCAN_PAGE = 10_000
TIMELINE_SECONDS = 0.25


class Member:
    """A server on a directory of its own, which outlives kill -9."""

    def __init__(self, name, binary, flags, scratch):
        self.name, self.directory = name, tempfile.mkdtemp(prefix="strata-million-", dir=scratch)
        self.address = f"127.0.0.1:{base.free_port()}"
        self.command = [binary, *base.member_flags(self.directory, self.address), *flags]
        self.process = None

    def start(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCD")}
        self.process = subprocess.Popen(self.command, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def memory(self):
        """Megabytes private to the process, and of mapped files."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as lines:
            found = dict(re.findall(r"(Rss\w+):\s+(\d+) kB", lines.read()))
        return int(found["RssAnon"]) / 1024, int(found["RssFile"]) / 1024

    def remove(self):
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Run:
    def __init__(self, args):
        self.args = args
        self.found = {}  # server -> figure -> number
        self.compacted = 0  # the revision of the last compaction
        self.timelines = {}  # server -> slowest put of each stretch, us

    def bench_command(self, member, op, flags, keys=None):
        return [self.args.bench, f"--op={op}", f"--target={member.address}", f"--keys={keys or self.args.keys}",
                f"--key-bytes={KEY_BYTES}", f"--value-bytes={VALUE_BYTES}", f"--server-pid={member.process.pid}",
                *flags]

    def bench(self, member, op, *flags, keys=None):
        done = subprocess.run(self.bench_command(member, op, flags, keys), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{member.name} {op}: {done.stderr}")
        return json.loads(done.stdout)

    def load(self, member, op, *flags, keys=None):
        """As fast as it can, to the end."""
        return self.bench(member, op, "--outstanding=512", "--connections=32", "--warm-up-ms=0",
                          "--duration-ms=3600000", *flags, keys=keys)

    def puts_during(self, member, work):
        """The latencies of steady puts while `work` is done, and its result."""
        flags = [f"--rate={self.args.rate}", "--outstanding=256", "--connections=8", "--warm-up-ms=200",
                 "--until-input-ends", "--seed=7", "--keep-going",
                 f"--timeline-ms={int(TIMELINE_SECONDS * 1000)}"]
        puts = subprocess.Popen(self.bench_command(member, "put", flags), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        result = work()
        out, errors = puts.communicate("")
        if puts.returncode:
            raise SystemExit(f"{member.name}: puts: {errors}")
        return json.loads(out), result

    def ctl(self, member, *command):
        done = subprocess.run([self.args.etcdctl, f"--endpoints={member.address}", "--command-timeout=3600s", *command],
                              capture_output=True, text=True, env={**os.environ, "ETCDCTL_API": "3"})
        if done.returncode:
            raise SystemExit(f"{member.name}: etcdctl {' '.join(command)}: {done.stderr}")
        return done.stdout

    def revision(self, member):
        return json.loads(self.ctl(member, "get", "none", "-w", "json"))["header"]["revision"]

    def compact(self, member):
        self.compacted = self.revision(member)
        before = time.monotonic()
        self.ctl(member, "compact", str(self.compacted), "--physical")
        return time.monotonic() - before

    def shrink(self, member):
        """Gives free space back; whoever holds it up is etcd's own business."""
        before = time.monotonic()
        self.ctl(member, "defrag")
        return time.monotonic() - before

    def file_megabytes(self, member):
        return json.loads(self.ctl(member, "endpoint", "status", "-w", "json"))[0]["Status"]["dbSize"] / 1e6

    def live_megabytes(self, member):
        """Of the revisions that the compaction left and of those after it: keys and values in the file."""
        rows = self.args.keys + self.revision(member) - self.compacted
        return rows * (REVISION_BYTES + FIELD_BYTES + KEY_BYTES + VALUE_BYTES) / 1e6

    def restart(self, member):
        """Seconds from the start of the process to the answer of a read."""
        member.kill()
        before = time.monotonic()
        member.start()
        self.bench(member, "get", "--calls=1", "--wait-for-ready", "--warm-up-ms=0")
        return time.monotonic() - before

    def scan(self, member):
        # All pages but one: counting begins with the first answer.
        pages = max(2, self.args.keys // SCAN_PAGE)
        page = self.args.keys // pages
        before = time.monotonic()
        self.bench(member, "scan", "--outstanding=1", "--warm-up-ms=0", "--duration-ms=3600000",
                   f"--range-keys={page}", f"--calls={pages}")
        return time.monotonic() - before

    def measure(self, member):
        found = self.found[member.name] = {}
        member.start()
        filled = self.load(member, "fill", "--wait-for-ready")
        found["fill, puts/s"] = filled["per_second"]
        base.settle()
        found["RssAnon, MB"], found["RssFile, MB"] = member.memory()
        for op, name in (("count", "count all"), ("last", "last 10 by name")):
            calls = "--calls=200" if member.name == "strata" else "--calls=4"
            asked = self.bench(member, op, "--warm-up-ms=0", "--range-keys=10", calls, "--duration-ms=600000")
            found[f"{name}, p50 ms"] = asked["p50_us"] / 1000
            found[f"{name}, server CPU ms"] = asked["server_cpu_us"] / 1000
        self.measure_pauses(member, found)
        found["restart after kill -9, s"] = self.restart(member)
        found["RssAnon after restart, MB"], found["RssFile after restart, MB"] = member.memory()

    def measure_pauses(self, member, found):
        def add(name, puts):
            for quantile in ("p99", "p999", "max"):
                found[f"put {quantile} {name}, ms"] = puts[f"{quantile}_us"] / 1000
            found[f"puts failed {name}"] = puts["failed"]

        quiet, _ = self.puts_during(member, lambda: time.sleep(self.args.seconds))
        add("alone", quiet)
        scanned, found["full scan, s"] = self.puts_during(member, lambda: self.scan(member))
        add("during a full scan", scanned)
        # Half of the keys are written again: so many revisions are superseded.
        superseded = self.args.keys // 2
        if self.args.overwrite == "first":
            self.load(member, "fill", keys=superseded)
        else:
            self.load(member, "put", f"--calls={superseded}", "--seed=3")
        base.settle()
        found["file before, MB"] = self.file_megabytes(member)
        compacted, (found["compaction, s"], found["shrink, s"]) = self.puts_during(
            member, lambda: (self.compact(member), self.shrink(member)))
        add("during compaction and shrink", compacted)
        self.timelines[member.name] = compacted["slowest_us"]
        found["file after, MB"], found["live after, MB"] = self.file_megabytes(member), self.live_megabytes(member)

    def index_megabytes(self):
        if not os.path.exists(self.args.store_bench):
            return None
        done = subprocess.run([self.args.store_bench, "--benchmark_filter=IndexMemory", "--benchmark_format=json"],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)["benchmarks"][0]["MB"]

    def targets(self, index):
        """(what, ours, allowed)"""
        ours, theirs = self.found["strata"], self.found.get("etcd")
        rows = []
        if index is not None:
            rows.append(("index of 1,000,000 keys, MB", index, 120))

        def of_etcd(figure, share):
            if theirs:
                rows.append((f"{figure}, <= {share} of etcd's", ours[figure], share * theirs[figure]))

        of_etcd("RssAnon, MB", 0.4)
        of_etcd("restart after kill -9, s", 0.4)
        rows.append(("count all, server CPU ms", ours["count all, server CPU ms"], 1))
        rows.append(("count all, p50 ms", ours["count all, p50 ms"], 1))
        rows.append(("last 10 by name, server CPU ms", ours["last 10 by name, server CPU ms"], 1))
        rows.append(("last 10 by name, p50 ms", ours["last 10 by name, p50 ms"], 1))
        of_etcd("compaction, s", 0.25)
        worked = "during compaction and shrink, ms"
        rows.append((f"slowest put {worked}, <= 5 of the slowest alone", ours[f"put max {worked}"],
                     5 * ours["put max alone, ms"]))
        rows.append((f"put p99.9 {worked}", ours[f"put p999 {worked}"], 20))
        rows.append(("file after the shrink, MB, <= 1.25 of what is live", ours["file after, MB"],
                     1.25 * ours["live after, MB"]))
        rows.append(("put p99 during a full scan, ms, <= 1.5 of alone", ours["put p99 during a full scan, ms"],
                     1.5 * ours["put p99 alone, ms"]))
        return rows

    def figures(self):
        names = list(self.found["strata"])
        rows = [(name, *(f"{self.found[server][name]:,.2f}" for server in self.found)) for name in names]
        return base.table(rows, ["figure", *self.found])


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=PUTS_PER_SECOND, help="puts per second beside the work")
    parser.add_argument("--seconds", type=float, default=10, help="of puts alone")
    parser.add_argument("--overwrite", choices=["random", "first"], default="random",
                        help="which keys are written again before the compaction")
    parser.add_argument("--stratad", default=str(TOP / "bazel-bin/cmd/stratad"))
    parser.add_argument("--bench", default=str(TOP / "bazel-bin/bench/server_bench"))
    parser.add_argument("--store-bench", default=str(TOP / "bazel-bin/bench/store_bench"))
    parser.add_argument("--etcd", default=shutil.which("etcd"), help="'' to leave it out")
    parser.add_argument("--etcdctl", default=shutil.which("etcdctl"))
    parser.add_argument("--scratch", default=None, help="directory on the disk to be measured; default: TMPDIR")
    parser.add_argument("--note", default="", help="what a reader of the results should know")
    parser.add_argument("--out", type=pathlib.Path, default=TOP / "bench/results")
    return parser.parse_args()


def main():
    args = parse()
    about = {"command": " ".join(sys.argv), "machine": base.machine(), "commit": base.commit(),
             "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")}
    if args.note:
        about["note"] = args.note
    run = Run(args)
    members = [("strata", args.stratad, ["--log-level=error"])]
    if args.etcd:
        members.insert(0, ("etcd", args.etcd, ["--logger=zap", "--log-level=error", "--quota-backend-bytes=8000000000"]))
    for name, binary, flags in members:
        member = Member(name, binary, flags, args.scratch)
        try:
            run.measure(member)
        finally:
            member.remove()
        base.settle()
        print(f"{name} done", file=sys.stderr)
    index = run.index_megabytes()
    targets = run.targets(index)
    verdicts = [(what, f"{ours:.2f}", f"{allowed:.2f}", "PASS" if ours <= allowed else "MISS")
                for what, ours, allowed in targets]
    text = "\n".join(
        ["# A million keys", "",
         f"{args.keys:,} keys of {KEY_BYTES} bytes, values of {VALUE_BYTES}; {args.rate:,} puts per second beside "
         f"scan and compaction; {args.keys // 2:,} revisions superseded ({args.overwrite} keys).", ""]
        + [f"- {name}: {value}" for name, value in about.items()]
        + ["", base.table(verdicts, ["target", "ours", "allowed", ""]), "", run.figures(), ""])
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / (about["date"][:10] + "-million")
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    result = {**about, "figures": run.found, "targets": targets, "timelines": run.timelines,
              "timeline_step_s": TIMELINE_SECONDS,
              "timeline_title": "Puts while a compaction and then a shrink (defragmentation) go on",
              "timeline_note": f"The slowest of {args.rate:,} puts a second in each stretch, by the second."}
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    stem.with_suffix(".html").write_text(plots.make_page(result), encoding="utf-8")


if __name__ == "__main__":
    main()
