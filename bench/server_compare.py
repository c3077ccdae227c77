#!/usr/bin/env python3
"""Loads stratad, Debian's etcd and a bare gRPC echo server in turn, each on a
fresh directory, several rounds interleaved; prints the ratios and the targets,
and writes bench/results/DATE-server.{md,json}.

  bazel build -c opt //cmd:stratad //bench:echo_server //bench:server_bench
  bench/server_compare.py            # --rounds 5 --seconds 3 for a steadier one

Figures move with the machine's load: compare within a run only. Of the rounds
the median is taken.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
SETTLE_SECONDS = 2  # after much was written, for the disk to become quiet
LOADS = [(1, 1), (64, 8), (512, 32)]  # calls outstanding, connections
OPS = ["put", "get-serializable", "get"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settle():
    os.sync()
    time.sleep(SETTLE_SECONDS)


class Process:
    """A server on a directory of its own; `with` starts and ends it."""

    def __init__(self, command, address, directory):
        self.command, self.address, self.directory = command, address, directory

    def __enter__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCD")}
        self.process = subprocess.Popen(self.command, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        host, port = self.address.rsplit(":", 1)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((host, int(port)), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{self.command[0]} did not start")
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def member_flags(directory, address):
    peer = f"http://127.0.0.1:{free_port()}"
    return [f"--data-dir={directory}", f"--listen-client-urls=http://{address}",
            f"--advertise-client-urls=http://{address}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]


class Comparison:
    def __init__(self, args):
        self.args = args
        self.samples = {}  # (server, op, outstanding) -> [result]

    def bench(self, *flags):
        done = subprocess.run([self.args.bench, *flags], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{self.args.bench} {' '.join(flags)}: {done.stderr}")
        return json.loads(done.stdout)

    def load(self, server, name, op, outstanding, connections):
        result = self.bench(f"--op={op}", f"--target={server.address}", f"--outstanding={outstanding}",
                            f"--connections={connections}", f"--keys={self.args.keys}",
                            f"--duration-ms={int(self.args.seconds * 1000)}",
                            f"--server-pid={server.process.pid}")
        self.samples.setdefault((name, op, outstanding), []).append(result)

    def directory(self):
        return tempfile.mkdtemp(prefix="strata-bench-", dir=self.args.scratch)

    def echo(self, name, *flags):
        address = f"127.0.0.1:{free_port()}"
        command = [self.args.echo, f"--listen={address}", *flags]
        with Process(command, address, self.directory()) as server:
            for outstanding, connections in LOADS:
                self.load(server, name, "echo", outstanding, connections)

    def member(self, name, binary, *flags, ops=OPS, loads=LOADS):
        address, directory = f"127.0.0.1:{free_port()}", self.directory()
        command = [binary, *member_flags(directory, address), *flags]
        with Process(command, address, directory) as server:
            self.bench("--op=fill", f"--target={server.address}", "--outstanding=512", "--connections=32",
                       f"--keys={self.args.keys}", "--warm-up-ms=0", "--duration-ms=600000")
            settle()
            for op in ops:
                for outstanding, connections in loads:
                    self.load(server, name, op, outstanding, connections)

    def disk(self):
        settle()
        path = os.path.join(self.directory(), "file")
        result = self.bench("--op=fdatasync", f"--path={path}", "--duration-ms=1000")
        os.rmdir(os.path.dirname(path))
        self.samples.setdefault(("disk", "fdatasync", 1), []).append(result)

    def round(self):
        self.disk()
        self.echo("echo-cq", "--api=cq")
        self.echo("echo-callback", "--api=callback")
        self.member("strata", self.args.stratad, "--log-level=error")
        self.member("strata-idle-poll", self.args.stratad, "--log-level=error", "--idle-poll-time=500us",
                    ops=("put",), loads=LOADS[:1])
        if self.args.etcd:
            self.member("etcd", self.args.etcd, "--logger=zap", "--log-level=error")

    def median(self, name, op, outstanding, what):
        found = self.samples.get((name, op, outstanding))
        return statistics.median(sample[what] for sample in found) if found else None

    def floor(self, outstanding, what):
        """The better of the two echo servers."""
        return min(self.median(api, "echo", outstanding, what) for api in ("echo-cq", "echo-callback"))

    def targets(self):
        """(what, ours, allowed) of each target."""
        cpu = "server_cpu_us"
        rows = []

        def against_etcd(op, outstanding):
            if self.args.etcd:
                rows.append((f"{op} at {outstanding}: server CPU, us, <= 0.5 of etcd's",
                             self.median("strata", op, outstanding, cpu),
                             0.5 * self.median("etcd", op, outstanding, cpu)))

        against_etcd("put", 512)
        for op, factor in (("get-serializable", 1.4), ("get", 1.5)):
            for outstanding in (64, 512):
                rows.append((f"{op} at {outstanding}: server CPU, us, <= {factor} of the echo's",
                             self.median("strata", op, outstanding, cpu), factor * self.floor(outstanding, cpu)))
                against_etcd(op, outstanding)
        sync = self.median("disk", "fdatasync", 1, "p50_us")
        allowed = self.floor(1, "p50_us") + 1.3 * sync
        for name, how in (("strata", ""), ("strata-idle-poll", " with --idle-poll-time=500us")):
            rows.append((f"put at 1{how}: p50, us, <= echo's + 1.3 of fdatasync's",
                         self.median(name, "put", 1, "p50_us"), allowed))
        return rows


def table(rows, header):
    """Aligned Markdown; the first column to the left, the others to the right."""
    rows = [header] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]

    def line(row):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2)] + ["-" * (width + 1) + ":" for width in widths[1:]]) + "|"
    return "\n".join([line(rows[0]), rule] + [line(row) for row in rows[1:]])


def figures(comparison):
    rows = []
    for name, op, outstanding in sorted(comparison.samples, key=lambda key: (key[1], key[2], key[0])):
        def of(what):
            return comparison.median(name, op, outstanding, what)
        if op == "fdatasync":
            continue
        rows.append((f"{op} at {outstanding}", name, f"{of('per_second'):,.0f}", f"{of('p50_us'):,.0f}",
                     f"{of('p99_us'):,.0f}", f"{of('p999_us'):,.0f}", f"{of('server_cpu_us'):.1f}",
                     f"{of('client_cpu_us'):.1f}"))
    return table(rows, ["load", "server", "req/s", "p50 us", "p99 us", "p99.9 us", "server CPU us", "client CPU us"])


def verdicts(comparison):
    rows = [(what, f"{ours:.1f}", f"{allowed:.1f}", f"{ours / allowed:.2f}", "PASS" if ours <= allowed else "MISS")
            for what, ours, allowed in comparison.targets()]
    return table(rows, ["target", "ours", "allowed", "ratio", ""])


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    return f"{os.cpu_count()} cores, {model}; load average before {os.getloadavg()[0]:.1f}"


def commit():
    return subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], capture_output=True,
                          text=True).stdout.strip() or "unknown"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--stratad", default=str(TOP / "bazel-bin/cmd/stratad"))
    parser.add_argument("--bench", default=str(TOP / "bazel-bin/bench/server_bench"))
    parser.add_argument("--echo", default=str(TOP / "bazel-bin/bench/echo_server"))
    parser.add_argument("--etcd", default=shutil.which("etcd"), help="'' to leave it out")
    parser.add_argument("--scratch", default=None, help="directory on the disk to be measured; default: TMPDIR")
    parser.add_argument("--note", default="", help="what a reader of the results should know")
    parser.add_argument("--out", type=pathlib.Path, default=TOP / "bench/results")
    return parser.parse_args()


def main():
    args = parse()
    about = {"command": " ".join(sys.argv), "machine": machine(), "commit": commit(),
             "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")}
    if args.note:
        about["note"] = args.note
    comparison = Comparison(args)
    for number in range(args.rounds):
        comparison.round()
        print(f"round {number + 1} of {args.rounds} done", file=sys.stderr)
    sync = comparison.median("disk", "fdatasync", 1, "p50_us")
    text = "\n".join(
        ["# Strata, etcd and a bare gRPC echo server", "",
         f"{args.keys:,} keys of 8 bytes, values of 256; medians of {args.rounds} rounds of {args.seconds:g} s. "
         f"512 bytes and fdatasync: p50 {sync:.0f} us.", ""]
        + [f"- {name}: {value}" for name, value in about.items()]
        + ["", verdicts(comparison), "", figures(comparison), ""])
    print(text)
    args.out.mkdir(parents=True, exist_ok=True)
    stem = args.out / (about["date"][:10] + "-server")
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    samples = [{"server": key[0], **sample} for key, group in comparison.samples.items() for sample in group]
    stem.with_suffix(".json").write_text(json.dumps({**about, "samples": samples}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
