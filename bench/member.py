#!/usr/bin/env python3
"""What one member does beside serving puts: a snapshot of a large store, leases
that end together, renewals, and etcdctl's own check. Measures etcd and stratad in
turn, prints a table of targets, and writes bench/results/DATE-member.{md,json,html}.

  bazel build -c opt //cmd:stratad //bench:server_bench //bench:lease_bench
  bench/member.py                      # eight minutes
  bench/member.py --parts expire keep-alive --scale 0.1

--scale 0.1 makes a tenth of the store and of the leases. Figures move with the
machine's load: compare within a run only.
"""
import argparse
import datetime
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import million
import plots
import server_compare as base

TOP = base.TOP
PARTS = ["snapshot", "expire", "keep-alive", "check"]
VALUE_BYTES, STORE_BYTES = 1000, 10**9
LEASES_ENDING, LEASES_RENEWED, LEASE_SECONDS = 10_000, 50_000, 15
CHECKED_KEYS = 10_000  # to which puts go where the store's size is not the point
QUOTA = "--quota-backend-bytes=8000000000"


class Run(million.Run):
    def bench_command(self, member, op, flags, keys=None):
        return [self.args.bench, f"--op={op}", f"--target={member.address}", f"--keys={keys or self.args.keys}",
                f"--key-bytes={million.KEY_BYTES}", f"--value-bytes={VALUE_BYTES}",
                f"--server-pid={member.process.pid}", *flags]

    def lease_command(self, member, op, leases, *flags):
        return [self.args.lease_bench, f"--op={op}", f"--target={member.address}",
                f"--leases={max(100, int(leases * self.args.scale))}", f"--server-pid={member.process.pid}", *flags]

    def puts_until(self, member, work):
        """The latencies of steady puts while `work` is done, and its result."""
        flags = [f"--rate={self.args.rate}", "--outstanding=256", "--connections=8", "--warm-up-ms=200",
                 "--until-input-ends", "--seed=7", "--keep-going",
                 f"--timeline-ms={int(million.TIMELINE_SECONDS * 1000)}"]
        with subprocess.Popen(self.bench_command(member, "put", flags), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as puts:
            try:
                result = work()
            finally:
                out, errors = puts.communicate("")
        if puts.returncode:
            raise SystemExit(f"{member.name}: puts: {errors}")
        return json.loads(out), result

    def add_puts(self, member, name, puts):
        found = self.found[member.name]
        found[f"put p50 {name}, ms"], found[f"put p99 {name}, ms"] = puts["p50_us"] / 1000, puts["p99_us"] / 1000
        found[f"puts failed {name}"] = puts["failed"]

    # --- snapshot ---

    def snapshot(self, member):
        self.load(member, "fill")
        base.settle()
        quiet, _ = self.puts_until(member, lambda: time.sleep(self.args.seconds))
        self.add_puts(member, "alone", quiet)
        # In memory: where the client syncs a file of this size on the server's disk, that stops the disk for both.
        with tempfile.TemporaryDirectory(prefix="strata-member-snapshot-", dir=self.args.snapshot_scratch) as scratch:
            saved = pathlib.Path(scratch) / "saved.db"
            beside, seconds = self.puts_until(member, lambda: self.save(member, saved))
            self.add_puts(member, "during a snapshot", beside)
            self.timelines[member.name] = beside["slowest_us"]
            found = self.found[member.name]
            found["snapshot, s"], found["snapshot, MB"] = seconds, saved.stat().st_size / 1e6
            found["snapshot is restored and equal"] = self.is_equal(member, saved, pathlib.Path(scratch) / "restored")

    def save(self, member, path):
        time.sleep(0.5)  # puts go on
        before = time.monotonic()
        self.ctl(member, "snapshot", "save", str(path))
        return time.monotonic() - before

    def is_equal(self, member, saved, directory):
        """Whether real etcd, on what etcdctl restored, has what the member had at that revision."""
        status = json.loads(self.ctl(member, "snapshot", "status", str(saved), "-w", "json"))
        peer = f"http://127.0.0.1:{base.free_port()}"
        self.ctl(member, "snapshot", "restore", str(saved), f"--data-dir={directory}", "--name=default",
                 f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}")
        restored = million.Member("restored", self.args.etcd, ["--logger=zap", "--log-level=error", QUOTA],
                                  self.args.scratch)
        restored.command = [part if not part.startswith("--data-dir=") else f"--data-dir={directory}"
                            for part in restored.command]
        restored.start()
        try:
            self.wait(restored)
            revision = self.revision(restored)
            return int(revision == status["revision"]
                       and self.content(restored, revision) == self.content(member, revision))
        finally:
            restored.remove()

    def content(self, member, revision):
        """Hash and number of the keys at a revision."""
        hashed = json.loads(self.ctl(member, "endpoint", "hashkv", f"--rev={revision}", "-w", "json"))
        counted = json.loads(self.ctl(member, "get", "", "--prefix", "--limit=1", f"--rev={revision}", "-w", "json"))
        return hashed[0]["HashKV"]["hash"], counted["count"]

    def wait(self, member):
        self.bench(member, "get", "--calls=1", "--wait-for-ready", "--warm-up-ms=0")

    # --- leases ---

    def expire(self, member):
        keys, self.args.keys = self.args.keys, CHECKED_KEYS
        try:
            self.load(member, "fill")
            quiet, _ = self.puts_until(member, lambda: time.sleep(self.args.seconds))
            self.add_puts(member, "alone", quiet)
            command = self.lease_command(member, "expire", LEASES_ENDING, f"--ttl={LEASE_SECONDS}")
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as leases:
                granted = leases.stdout.readline()
                if granted:
                    time.sleep(max(0, json.loads(granted)["first_due_in_s"] - 0.5))
                beside, (out, errors) = self.puts_until(member, leases.communicate)
            if leases.returncode:
                raise SystemExit(f"{member.name}: {errors}")
        finally:
            self.args.keys = keys
        self.add_puts(member, "while leases end", beside)
        ended, found = json.loads(out), self.found[member.name]
        found["leases are due within, s"] = ended["due_within_s"]
        found["leases' keys go after their time, p50, s"] = ended["late_p50_s"]
        found["leases' keys go after their time, last, s"] = ended["late_max_s"]
        found["leases' keys gone too early"] = ended["early"]

    def keep_alive(self, member):
        command = self.lease_command(member, "keep-alive", LEASES_RENEWED, "--ttl=3600",
                                     f"--duration-ms={int(self.args.seconds * 1000)}")
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{member.name}: {done.stderr}")
        renewed, found = json.loads(done.stdout), self.found[member.name]
        found["renewals of leases, 1/s"] = renewed["per_second"]
        found["renewal, server CPU us"] = renewed["server_cpu_us"]

    # --- etcdctl check perf ---

    def check(self, member):
        done = subprocess.run([self.args.etcdctl, f"--endpoints={member.address}", "check", "perf",
                               f"--load={self.args.check_load}"], capture_output=True, text=True, timeout=180)
        lines = re.findall(r"(PASS|FAIL): ([^\n\r]+)", done.stdout)
        if not lines:
            raise SystemExit(f"{member.name}: etcdctl check perf: {done.stdout} {done.stderr}")
        found = self.found[member.name]
        for _, line in lines:
            for pattern, name in ((r"Throughput .*?([\d.]+) writes/s", "check perf, writes/s"),
                                  (r"Slowest request .*?([\d.]+)s", "check perf, slowest, s"),
                                  (r"Stddev .*?([\d.]+)s", "check perf, deviation, s")):
                for value in re.findall(pattern, line):
                    found[name] = float(value)
        found["check perf is passed"] = int(all(verdict == "PASS" for verdict, _ in lines))

    # --- all of them ---

    def measure(self, part, name, binary, flags):
        member = million.Member(name, binary, flags, self.args.scratch)
        self.found.setdefault(name, {})
        try:
            member.start()
            self.wait(member)
            {"snapshot": self.snapshot, "expire": self.expire, "keep-alive": self.keep_alive,
             "check": self.check}[part](member)
        finally:
            member.remove()
        base.settle()
        print(f"{part} of {name} done", file=sys.stderr, flush=True)

    def targets(self):
        """(what, ours, what is asked for, whether that is enough)"""
        ours, theirs = self.found["strata"], self.found.get("etcd", {})

        def at_most(what, figure, allowed):
            if figure in ours:
                yield what, ours[figure], allowed, ours[figure] <= allowed

        def of_alone(figure, share):
            alone = ours.get("put p99 alone, ms", 0)
            return at_most(f"{figure}, <= {share} of alone", figure, share * alone)

        for what, figure in (("the snapshot is restored by etcdctl and equal in etcd", "snapshot is restored and equal"),
                             ("etcdctl check perf is passed", "check perf is passed")):
            if figure in ours:
                yield what, ours[figure], 1, ours[figure] == 1
        yield from of_alone("put p99 during a snapshot, ms", 2)
        yield from of_alone("put p99 while leases end, ms", 3)
        yield from at_most("the last key goes after its lease's time, s", "leases' keys go after their time, last, s", 2)
        yield from at_most("keys gone before their lease's time", "leases' keys gone too early", 0)
        cpu, rate = "renewal, server CPU us", "renewals of leases, 1/s"
        if cpu in ours and cpu in theirs:
            yield f"{cpu}, <= etcd's", ours[cpu], theirs[cpu], ours[cpu] <= theirs[cpu]
            yield f"{rate}, >= etcd's", ours[rate], theirs[rate], ours[rate] >= theirs[rate]

    def figures(self):
        names = list(dict.fromkeys(name for found in self.found.values() for name in found))
        rows = [(name, *(f"{found[name]:,.3f}" if name in found else "" for found in self.found.values()))
                for name in names]
        return base.table(rows, ["figure", *self.found])


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rate", type=int, default=million.PUTS_PER_SECOND, help="puts per second beside the work")
    parser.add_argument("--seconds", type=float, default=10, help="of puts alone, and of renewals")
    parser.add_argument("--check-load", choices=["s", "m", "l", "xl"], default="s")
    parser.add_argument("--stratad", default=str(TOP / "bazel-bin/cmd/stratad"))
    parser.add_argument("--bench", default=str(TOP / "bazel-bin/bench/server_bench"))
    parser.add_argument("--lease-bench", default=str(TOP / "bazel-bin/bench/lease_bench"))
    parser.add_argument("--etcd", default=shutil.which("etcd"))
    parser.add_argument("--etcdctl", default=shutil.which("etcdctl"))
    parser.add_argument("--only", choices=["strata", "etcd"], help="one of the two")
    parser.add_argument("--scratch", default=None, help="directory on the disk to be measured; default: TMPDIR")
    parser.add_argument("--snapshot-scratch", default="/dev/shm",
                        help="directory for the client's snapshot, with room for it and what is restored of it "
                             "(4 GB at scale 1); on the server's disk its sync would hold up the puts")
    parser.add_argument("--note", default="", help="what a reader of the results should know")
    parser.add_argument("--out", type=pathlib.Path, default=TOP / "bench/results")
    args = parser.parse_args()
    args.keys = max(1000, int(args.scale * STORE_BYTES / VALUE_BYTES))
    return args


def main():
    args = parse()
    about = {"command": " ".join(sys.argv), "machine": base.machine(), "commit": base.commit(),
             "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")}
    if args.note:
        about["note"] = args.note
    run = Run(args)
    members = [("etcd", args.etcd, ["--logger=zap", "--log-level=error", QUOTA]),
               ("strata", args.stratad, ["--log-level=error", QUOTA])]
    separate = {}  # part -> server -> figures
    for part in args.parts:
        run.found = {}
        for name, binary, flags in members:
            if args.only in (None, name):
                run.measure(part, name, binary, flags)
        separate[part] = run.found
    text = ["# What a member does beside", "",
            f"{args.keys:,} keys with values of {VALUE_BYTES} bytes; {args.rate:,} puts per second; "
            f"{int(LEASES_ENDING * args.scale):,} leases that end, {int(LEASES_RENEWED * args.scale):,} that are renewed.",
            "", *(f"- {name}: {value}" for name, value in about.items())]
    targets = []
    for part, run.found in separate.items():
        met = list(run.targets()) if "strata" in run.found else []
        targets += met
        verdicts = [(what, f"{ours:.2f}", f"{asked:.2f}", "PASS" if good else "MISS") for what, ours, asked, good in met]
        text += ["", f"## {part}", "", base.table(verdicts, ["target", "ours", "asked for", ""]), "", run.figures()]
    text = "\n".join(text) + "\n"
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / (about["date"][:10] + "-member")
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    figures = {server: {f"{part}: {name}": value for part, found in separate.items()
                        for name, value in found.get(server, {}).items()} for server, _, _ in members}
    result = {**about, "title": "What a member does beside", "figures": {server: found for server, found in figures.items() if found},
              "targets": [target[:3] for target in targets], "timelines": run.timelines,
              "timeline_step_s": million.TIMELINE_SECONDS, "timeline_title": "Puts while a snapshot is taken",
              "timeline_note": f"The slowest of {args.rate:,} puts a second in each stretch, by the second."}
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if run.timelines:
        stem.with_suffix(".html").write_text(plots.make_page(result), encoding="utf-8")


if __name__ == "__main__":
    main()
