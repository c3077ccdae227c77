"""Runs one script of etcdctl calls against two servers and compares."""
import dataclasses
import difflib
import subprocess
import threading

import normalise
from server import Server, clean_environment


@dataclasses.dataclass
class Mismatch:
    call: object
    diff: str

    def __str__(self):
        return f"{self.call.where}: etcdctl {self.call.text}\n{self.diff}"


def transcript(call, endpoint, etcdctl):
    """What one call printed, in the form that is compared."""
    command = [etcdctl.encode(), b"--endpoints=" + endpoint.encode(), *call.arguments]
    done = subprocess.run(command, input=call.stdin, capture_output=True, env=clean_environment())
    if b"protobuf" in call.arguments and done.returncode == 0:
        out = normalise.response(done.stdout)
    else:
        out = normalise.text(done.stdout, endpoint)
    lines = out.splitlines()
    lines += ["stderr| " + line for line in normalise.text(done.stderr, endpoint).splitlines()]
    lines.append(f"exit {done.returncode}")
    return "\n".join(lines)


class Side(threading.Thread):
    """One server and what the calls of a script printed there."""

    def __init__(self, binary, calls, etcdctl, flags):
        super().__init__()
        self.server = Server(binary, flags=flags)
        self.calls, self.etcdctl = calls, etcdctl
        self.transcripts, self.error = [], None

    def run(self):
        try:
            with self.server:
                for call in self.calls:
                    self.transcripts.append(transcript(call, self.server.endpoint, self.etcdctl))
                    if self.server.process.poll() is not None:
                        raise RuntimeError(f"{self.server.binary} ended during {call.where}: etcdctl {call.text}\n"
                                           f"{self.server.log_tail()}")
        except Exception as error:  # told by the thread that joins
            self.error = error


def diff(expected, got):
    return "\n".join(difflib.unified_diff(expected.splitlines(), got.splitlines(), "etcd", "subject", lineterm="", n=3))


def compare(calls, etcd, subject, etcdctl, subject_etcdctl, flags=()):
    """The mismatches between the two servers, and etcd's transcripts.

    subject_etcdctl is the etcdctl for the subject's side (a self-test plants a
    difference there).
    """
    sides = [Side(etcd, calls, etcdctl, flags), Side(subject, calls, subject_etcdctl, flags)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    for side in sides:
        if side.error:
            raise side.error
    pairs = zip(calls, sides[0].transcripts, sides[1].transcripts)
    mismatches = [Mismatch(call, diff(expected, got)) for call, expected, got in pairs if expected != got]
    return mismatches, sides[0].transcripts
