"""Runs one script against two servers and compares what they answered."""
import dataclasses
import difflib
import itertools
import subprocess
import threading

import normalise
import script
from server import Server, clean_environment, is_ours


@dataclasses.dataclass
class Mismatch:
    call: object
    diff: str

    def __str__(self):
        return f"{self.call.where}: {self.call.text}\n{self.diff}"


def restart(call, server):
    """Ends the server as the call says, starts it again; what there is to compare."""
    if call.text == "%kill":
        server.kill()
    else:
        server.stop()
    server.start()
    return "started again"


class Etcdctl:
    """Makes calls by a process of etcdctl each."""

    def __init__(self, binary):
        self.binary = binary

    def transcripts(self, calls, server):
        """What each call printed, in the form that is compared."""
        for call in calls:
            if isinstance(call, script.Restart):
                yield restart(call, server)
                continue
            yield self.transcript(call, server.endpoint)
            if server.process.poll() is not None:
                raise RuntimeError(f"{server.binary} ended during {call.where}: {call.text}\n{server.log_tail()}")

    def transcript(self, call, endpoint):
        command = [self.binary.encode(), b"--endpoints=" + endpoint.encode(), *call.arguments]
        done = subprocess.run(command, input=call.stdin, capture_output=True, env=clean_environment())
        if b"protobuf" in call.arguments and done.returncode == 0:
            out = normalise.response(done.stdout)
        else:
            out = normalise.text(done.stdout, endpoint)
        lines = out.splitlines()
        lines += ["stderr| " + line for line in normalise.text(done.stderr, endpoint).splitlines()]
        lines.append(f"exit {done.returncode}")
        return "\n".join(lines)


class RawCalls:
    """Makes calls by one process of rpc_calls.cc for all between two restarts."""

    def __init__(self, binary):
        self.binary = binary

    def transcripts(self, calls, server):
        for is_restart, group in itertools.groupby(calls, lambda call: isinstance(call, script.Restart)):
            if is_restart:
                yield from (restart(call, server) for call in group)
            else:
                yield from self.replies(list(group), server)

    def replies(self, calls, server):
        made = [call for call in calls if not call.expected or is_ours(server.binary)]
        lines = "".join(call.request + "\n" for call in made)
        done = subprocess.run([self.binary, server.endpoint], input=lines.encode(), capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"{self.binary}: {done.stderr.decode()}")
        replies = iter(normalise.text(done.stdout, server.endpoint).split("----\n"))
        if server.process.poll() is not None:
            raise RuntimeError(f"{server.binary} ended in these calls\n{server.log_tail()}")
        return [call.expected if call.expected and not is_ours(server.binary) else next(replies) for call in calls]


class Side(threading.Thread):
    """One server on a fresh directory, and what the calls of a script got there."""

    def __init__(self, binary, client, calls):
        super().__init__()
        self.server = Server(binary)
        self.client, self.calls = client, calls
        self.transcripts, self.error = [], None

    def run(self):
        try:
            with self.server:
                self.transcripts = list(self.client.transcripts(self.calls, self.server))
        except Exception as error:  # told by the thread that joins
            self.error = error


def diff(expected, got):
    return "\n".join(difflib.unified_diff(expected.splitlines(), got.splitlines(), "etcd", "subject", lineterm="", n=3))


def compare(calls, etcd, etcd_client, subject, subject_client):
    """The mismatches between the two servers, and etcd's transcripts."""
    sides = [Side(etcd, etcd_client, calls), Side(subject, subject_client, calls)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    for side in sides:
        if side.error:
            raise side.error
        if len(side.transcripts) != len(calls):
            raise RuntimeError(f"{len(side.transcripts)} answers to {len(calls)} calls")
    pairs = zip(calls, sides[0].transcripts, sides[1].transcripts)
    mismatches = [Mismatch(call, diff(expected, got)) for call, expected, got in pairs if expected != got]
    return mismatches, sides[0].transcripts
