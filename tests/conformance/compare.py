"""Runs one script against two servers and compares what they answered."""
import base64
import dataclasses
import difflib
import hashlib
import http.client
import itertools
import json
import shutil
import signal
import subprocess
import threading
import time

import normalise
import script
from server import Server, clean_environment, is_ours, scratch

PATIENCE_S = 20  # for what a process in the background should print or do


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


class Process:
    """An etcdctl in the background, and what it has printed."""

    def __init__(self, command, endpoint):
        self.endpoint, self.shown = endpoint, 0
        self.directory = scratch("strata-watch-")
        self.path = self.directory / "output"
        with open(self.path, "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                                            env=clean_environment())

    def send(self, arguments):
        self.process.stdin.write(b" ".join(arguments) + b"\n")
        self.process.stdin.flush()
        return "sent"

    def output(self, count):
        """The next `count` lines, waited for; with None all there are."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            lines = normalise.text(self.path.read_bytes(), self.endpoint).splitlines()[self.shown:]
            if count is None or len(lines) >= count:
                break
            if time.monotonic() > deadline:
                lines.append(f"(no more than {len(lines)} lines in {PATIENCE_S} s)")
                break
            time.sleep(0.02)
        lines = lines[:count]
        self.shown += len(lines)
        return lines

    def end(self, interrupt):
        if interrupt:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            code = "none"
        lines = self.output(None) + [f"exit {code}"]
        self.close()
        return "\n".join(lines)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Etcdctl:
    """Makes calls by a process of etcdctl each."""

    def __init__(self, binary):
        self.binary = binary
        self.background = {}

    def transcripts(self, calls, server):
        """What each call printed, in the form that is compared."""
        try:
            yield from self.each(calls, server)
        finally:
            for process in self.background.values():
                process.close()

    def act(self, call, endpoint):
        """What a line about a process in the background has to show."""
        if call.action == "start":
            command = [self.binary.encode(), b"--endpoints=" + endpoint.encode(), *call.arguments]
            self.background[call.name] = Process(command, endpoint)
            return "started"
        process = self.background[call.name]
        if call.action == "send":
            return process.send(call.arguments)
        if call.action == "output":
            return "\n".join(process.output(int(call.arguments[0])))
        del self.background[call.name]
        return process.end(interrupt=call.action == "end")

    def each(self, calls, server):
        for call in calls:
            if isinstance(call, script.Background):
                yield self.act(call, server.endpoint)
                continue
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


class HttpCalls:
    """Makes the requests of a script, each on a connection of its own."""

    # What else of a response is compared, beside its status and body.
    HEADERS = ("Content-Type", "Allow", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods",
               "Access-Control-Allow-Headers", "Grpc-Metadata-Content-Type")

    def transcripts(self, calls, server):
        for call in calls:
            if isinstance(call, script.Restart):
                yield restart(call, server)
                continue
            connection = http.client.HTTPConnection("127.0.0.1", server.client_port, timeout=PATIENCE_S)
            try:
                yield normalise.text(self.transcript(call, connection).encode(), server.endpoint)
            finally:
                connection.close()
            if server.process.poll() is not None:
                raise RuntimeError(f"{server.binary} ended during {call.where}: {call.text}\n{server.log_tail()}")

    def transcript(self, call, connection):
        method = "POST" if call.method in ("STREAM", "SNAPSHOT") else call.method
        connection.request(method, call.path, call.body or None)
        response = connection.getresponse()
        lines = [str(response.status)]
        lines += [f"{name}: {response.getheader(name)}" for name in self.HEADERS if response.getheader(name)]
        if call.method == "SNAPSHOT":
            return "\n".join(lines + [snapshot_sum(response)])
        if call.lines:
            return "\n".join(lines + [normalise.http_line(response.readline()) for _ in range(call.lines)])
        body = response.read()
        ends = "and a newline" if body.endswith(b"\n") else "and no newline"
        return "\n".join(lines + [normalise.http_line(line) for line in body.splitlines()] + [ends])


def snapshot_sum(response):
    """Whether what came in pieces ends in the sum of what came before."""
    blobs = b"".join(base64.b64decode(json.loads(line)["result"]["blob"]) for line in response.read().splitlines())
    right = hashlib.sha256(blobs[:-32]).digest() == blobs[-32:]
    return f"the sum is {'right' if right else 'wrong'}, {'some' if len(blobs) > 4096 else 'few'} bytes"


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
