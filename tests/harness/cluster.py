"""Starts and changes a cluster of several members, etcd's or ours or both.

As server.py, but for several: every member has ports of its own, which it keeps
over restarts, and is told of the others.
"""
import json
import signal
import subprocess
import time

import server


class Member(server.Server):
    """One member. `start` waits until it is healthy, `launch` does not wait."""

    def __init__(self, binary, name, flags=(), level="3.4", scheme="http", wrap=(), data_dir=None):
        super().__init__(binary, data_dir=data_dir, flags=flags, level=None, wrap=wrap,
                         client_port=server.free_port())
        self.name = name
        self.level = level
        self.scheme = scheme  # of peer URLs
        self.client_port = self.fixed_port
        self.peer_port = server.free_port()
        self.initial = ""  # --initial-cluster
        self.state = "new"

    @property
    def peer_url(self):
        return f"{self.scheme}://{self.host}:{self.peer_port}"

    def launch(self):
        command = [
            *self.wrap,
            self.binary,
            f"--name={self.name}",
            f"--data-dir={self.data_dir}",
            f"--listen-client-urls=http://{self.endpoint}",
            f"--advertise-client-urls=http://{self.endpoint}",
            f"--listen-peer-urls={self.peer_url}",
            f"--initial-advertise-peer-urls={self.peer_url}",
            f"--initial-cluster={self.initial}",
            f"--initial-cluster-state={self.state}",
            *self.flags,
            *([f"--etcd-level={self.level}"] if server.is_ours(self.binary) else []),
        ]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=server.clean_environment())

    def become(self, binary):
        """Stops it, and starts another program on its data directory."""
        if self.stop() not in (0, -signal.SIGTERM):
            raise server.ServerError(f"{self.name} did not end well:\n{self.log_tail()}")
        self.binary = str(binary)
        self.start()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def status(self):
        """What Maintenance.Status answers, or None."""
        done = self.ctl("endpoint", "status", "--write-out=json", "--command-timeout=2s", "--dial-timeout=1s")
        if done.returncode != 0:
            return None
        try:
            return json.loads(done.stdout)[0]["Status"]
        except (ValueError, IndexError, KeyError):
            return None

    def id(self):
        return self.status()["header"]["member_id"]

    def wait(self, what, condition, timeout_s=20):
        wait(f"{self.name}: {what}", condition, timeout_s, self.log_tail)


def wait(what, condition, timeout_s=20, why=lambda: ""):
    """Until `condition()` is true, looked at every 50 ms; returns it."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise server.ServerError(f"{what}: not within {timeout_s} s\n{why()}")
        time.sleep(0.05)


class Cluster:
    """`with Cluster([binary] * 3) as cluster:` starts them; all end with it."""

    def __init__(self, binaries, flags=(), level="3.4", scheme="http"):
        self.flags = list(flags)
        self.level = level
        self.scheme = scheme
        self.members = []
        self.gone = []  # stopped for good, to be cleaned up
        for number, binary in enumerate(binaries):
            self.members.append(self.new_member(binary, f"m{number}"))
        self.next_number = len(binaries)
        initial = self.initial_cluster(self.members)
        for member in self.members:
            member.initial = initial

    def new_member(self, binary, name):
        return Member(binary, name, flags=self.flags, level=self.level, scheme=self.scheme)

    @staticmethod
    def initial_cluster(members):
        return ",".join(f"{member.name}={member.peer_url}" for member in members)

    def __enter__(self):
        try:
            for member in self.members:
                member.launch()
            for member in self.members:
                member.wait("healthy", member.healthy, 30)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            for member in self.members + self.gone:
                print(f"--- {member.name} ({member.binary})\n{member.log_tail(30)}", flush=True)
        self.close()

    def close(self):
        for member in self.members + self.gone:
            member.close()

    # --- who is who ---

    def running(self):
        return [member for member in self.members if member.running()]

    def endpoints(self):
        return ",".join(member.endpoint for member in self.running())

    def leader(self, timeout_s=20):
        """The member that a majority takes for the leader, and that knows."""
        def find():
            for member in self.running():
                status = member.status()
                if status and status.get("leader") and status["leader"] == status["header"]["member_id"]:
                    return member
            return None
        return wait("a leader", find, timeout_s)

    def follower(self):
        leader = self.leader()
        return next(member for member in self.running() if member is not leader)

    def ctl(self, *arguments, through=None):
        member = through or self.running()[0]
        return member.ctl(*arguments)

    # --- what it holds ---

    def hashes(self, revision):
        """HashKV of every running member at `revision`."""
        result = {}
        for member in self.running():
            done = member.ctl("endpoint", "hashkv", f"--rev={revision}", "--write-out=json")
            if done.returncode != 0:
                result[member.name] = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
                continue
            result[member.name] = json.loads(done.stdout)[0]["HashKV"]["hash"]
        return result

    def check_equal(self, timeout_s=30):
        """Waits until all have the newest revision of now, and the same hash at it;
        there may be load."""
        newest = max(((member.status() or {}).get("header", {}).get("revision", 0) for member in self.running()))
        def equal():
            hashes = self.hashes(newest)
            return hashes if len(set(map(str, hashes.values()))) == 1 else None
        try:
            hashes = wait("equal hashes", equal, timeout_s)
        except server.ServerError as error:
            states = {member.name: (member.status() or {}).get("header") for member in self.running()}
            raise server.ServerError(f"{error}\n{states}\n{self.hashes(0)}") from None
        if not all(isinstance(value, int) for value in hashes.values()):
            raise server.ServerError(f"no hashes: {hashes}")
        return hashes

    # --- changes ---

    def add(self, binary, learner=True, through=None):
        """`etcdctl member add`, and starts it; its id is known afterwards."""
        member = self.new_member(binary, f"m{self.next_number}")
        self.next_number += 1
        kind = ["--learner"] if learner else []
        def added():
            done = self.ctl("member", "add", member.name, f"--peer-urls={member.peer_url}", "--write-out=json", *kind,
                            through=through)
            if done.returncode == 0:
                return json.loads(done.stdout)
            # One that timed out may have been added.
            if b"Peer URLs already exists" in done.stderr:
                return self.listed(member.peer_url)
            # Both refuse for a while after something has changed.
            if any(text in done.stderr for text in (b"unhealthy cluster", b"timed out", b"leader")):
                return None
            raise server.ServerError(done.stderr.decode(errors="replace"))
        reply = wait("member add", added)
        member.member_id = reply["member"]["ID"]
        member.state = "existing"
        member.initial = self.initial_cluster(self.members + [member])
        self.members.append(member)
        member.launch()
        return member

    def listed(self, peer_url):
        """The member with that URL, as `member add` would have answered."""
        listed = json.loads(self.ctl("member", "list", "--write-out=json").stdout)["members"]
        return {"member": next(one for one in listed if one["peerURLs"] == [peer_url])}

    def promote(self, member, through=None):
        def promoted():
            done = self.ctl("member", "promote", f"{member.member_id:x}", through=through)
            return done.returncode == 0
        wait(f"promotion of {member.name}", promoted, 30,
             lambda: self.ctl("member", "promote", f"{member.member_id:x}", through=through).stderr.decode())
        member.wait("healthy", member.healthy)

    def remove(self, member, through=None):
        """Removes it and waits until its process has stopped, or stops it."""
        others = [other for other in self.running() if other is not member]
        member_id = member.id() if member.running() else member.member_id
        def removed():
            done = self.ctl("member", "remove", f"{member_id:x}", through=through or others[0])
            if done.returncode == 0:
                return True
            if b"unhealthy cluster" in done.stderr or b"leader" in done.stderr or b"timed out" in done.stderr:
                return None
            raise server.ServerError(done.stderr.decode(errors="replace"))
        wait(f"removal of {member.name}", removed)
        self.members.remove(member)
        self.gone.append(member)
        if member.process is not None:
            member.wait("end of a removed member", lambda: member.process.poll() is not None, 30)
