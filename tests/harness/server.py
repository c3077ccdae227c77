"""Starts, watches, stops and kills one server process, etcd's or ours.

A server is a binary that takes etcd's flags. Everything it needs is under one
directory; it listens on free ports of 127.0.0.1 only.
"""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ETCD = "/usr/bin/etcd"
ETCDCTL = "/usr/bin/etcdctl"

# What a member tells others about itself. No one dials these: the same for all
# servers, so that cluster and member ids, made from them, must be equal too.
ADVERTISED_PEER = "http://127.0.0.1:2380"
ADVERTISED_CLIENT = "http://127.0.0.1:2379"


class ServerError(Exception):
    """The server did not do what a test needs to go on; says why, with its log."""


# Below those that the kernel gives to outgoing connections: who dials a member that is not up yet, again and again, can
# be given that member's own port, and is then connected to itself.
PORTS = range(10_000, 32_768)
_given = set()  # a port that is free until its server listens is not given twice


def free_port():
    while True:
        port = random.choice(PORTS)
        if port in _given:
            continue
        _given.add(port)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def scratch(prefix):
    """A new directory that the caller removes."""
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("TEST_TMPDIR")))


def is_ours(binary):
    """Whether it takes our own flags besides etcd's."""
    return pathlib.Path(binary).name.startswith("strata")


def clean_environment():
    """The process's own, without variables that etcd and etcdctl read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ETCD")}
    kept["ETCDCTL_API"] = "3"
    return kept


class Server:
    """One member on one data directory. Used by one thread at a time.

    `with Server(binary) as server:` starts it and, at the end, stops it and
    removes what it made. A data directory that the caller gives is kept.
    """

    host = "127.0.0.1"

    def __init__(self, binary, data_dir=None, flags=(), level="3.4", wrap=(), client_port=None):
        """`wrap` is a command that runs the command given to it, as nsenter does;
        `client_port` the port at each start, otherwise a free one."""
        self.binary = str(binary)
        self.wrap = list(wrap)
        self.root = scratch("strata-server-")
        self.data_dir = pathlib.Path(data_dir) if data_dir else self.root / "data"
        self.log_path = self.root / "log"
        self.flags = list(flags)
        if is_ours(binary) and level:
            self.flags.append("--etcd-level=" + level)
        self.process = None
        self.fixed_port = client_port
        self.client_port = None

    @property
    def endpoint(self):
        return f"{self.host}:{self.client_port}"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def launch(self):
        """Starts the process on new ports and returns at once."""
        self.client_port, peer_port = self.fixed_port or free_port(), free_port()
        command = [
            *self.wrap,
            self.binary,
            "--name=default",
            f"--data-dir={self.data_dir}",
            f"--listen-client-urls=http://127.0.0.1:{self.client_port}",
            f"--advertise-client-urls={ADVERTISED_CLIENT}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-advertise-peer-urls={ADVERTISED_PEER}",
            f"--initial-cluster=default={ADVERTISED_PEER}",
            *self.flags,
        ]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=clean_environment())

    def start(self, timeout_s=30):
        """Starts it and waits until `etcdctl endpoint health` is content."""
        self.launch()
        deadline = time.monotonic() + timeout_s
        while not self.healthy():
            if self.process.poll() is not None:
                raise ServerError(f"{self.binary} ended with {self.process.returncode} at its start:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.binary} is not healthy after {timeout_s} s:\n{self.log_tail()}")
            time.sleep(0.05)

    def healthy(self):
        return self.ctl("endpoint", "health", "--command-timeout=1s", "--dial-timeout=1s").returncode == 0

    def ctl(self, *arguments, stdin=b""):
        """One etcdctl call against this server; outputs are bytes."""
        return subprocess.run([ETCDCTL, "--endpoints=" + self.endpoint, *arguments], input=stdin,
                              capture_output=True, env=clean_environment())

    def must(self, *arguments, stdin=b""):
        """As ctl, for a call that has to succeed; returns its stdout as text."""
        done = self.ctl(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise ServerError(f"etcdctl {' '.join(arguments)}: {done.stderr.decode(errors='replace')}\n{self.log_tail()}")
        return done.stdout.decode(errors="replace")

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s=20):
        """SIGTERM; returns the exit code, negative for a signal."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"{self.binary} still ran {timeout_s} s after SIGTERM:\n{self.log_tail()}") from None

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=15):
        return "\n".join(self.log().splitlines()[-lines:])
