"""A client that stands still is found by keepalive: half_open_test.py STRATAD

An etcdctl that watches is stopped (SIGSTOP): its kernel still acknowledges what
is sent, so only the ping that it does not answer tells. The server closes its
connection; those of clients that live stay, and go on to be told.
"""
import os
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import server

PATIENCE_S = 30


def connections(port):
    """Established ones to our port, as the kernel lists them."""
    lines = []
    for name in ("tcp", "tcp6"):  # gRPC listens on IPv4 through IPv6 sockets
        lines += pathlib.Path("/proc/net", name).read_text().splitlines()[1:]
    return sum(1 for line in lines if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01")


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.1)


def watch(subject, key):
    return subprocess.Popen([server.ETCDCTL, "--endpoints=" + subject.endpoint, "watch", key, "--rev=2"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=server.clean_environment())


def main():
    flags = ["--grpc-keepalive-interval=1s", "--grpc-keepalive-timeout=1s"]
    with server.Server(sys.argv[1], flags=flags) as subject:
        subject.must("put", "a", "1")
        stopped, living = watch(subject, "a"), watch(subject, "a")
        try:
            for client in (stopped, living):
                assert client.stdout.readline() == b"PUT\n"
            wait_for("two connections", lambda: connections(subject.client_port) == 2)
            stopped.send_signal(signal.SIGSTOP)
            wait_for("one connection", lambda: connections(subject.client_port) == 1)
            for line in (b"a\n", b"1\n"):
                assert living.stdout.readline() == line
            time.sleep(3)  # some pings more
            subject.must("put", "a", "2")
            for line in (b"PUT\n", b"a\n", b"2\n"):
                assert living.stdout.readline() == line
        finally:
            for client in (stopped, living):
                client.kill()
                client.wait()
    print("the client that stood still was closed, the other one went on")


if __name__ == "__main__":
    main()
