"""A cluster in one command: local_cluster_test.py STRATAD TOOLS_CLUSTER

Runs what `make cluster` runs, and then the commands that it prints.
"""
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE.parent / "harness")]

import server

MEMBERS = 3
PATIENCE_S = 20


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def free_ports():
    """The first of a row of ports that are free now, as the script takes them."""
    while True:
        first = server.free_port()
        row = [first + 10 * i + j for i in range(MEMBERS) for j in (0, 1)]
        try:
            for port in row:
                with server.socket.create_server(("127.0.0.1", port)):
                    pass
            return first
        except OSError:
            continue


def said(cluster):
    """The commands that it prints, and the variables of its `export`."""
    commands, variables = [], {}
    for line in iter(cluster.stdout.readline, ""):
        command = re.fullmatch(r"  (\S.*?)\s*(#.*)?\n", line)
        if command is None:
            if commands:
                return commands, variables
        elif command[1].startswith("export "):
            name, value = command[1].removeprefix("export ").split("=", 1)
            variables[name] = value
        else:
            commands.append(command[1])
    raise AssertionError("it ended")


def run(command, environment):
    """Until it succeeds: the members have to find each other first."""
    end = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
        if done.returncode == 0:
            return done.stdout
        check(time.monotonic() < end, f"{command}: {done.stderr}")
        time.sleep(0.2)


def main():
    stratad, script = (os.path.abspath(argument) for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory(prefix="strata-local-") as data:
        environment = {**server.clean_environment(), "STRATAD": stratad, "FIRST_PORT": str(free_ports())}
        cluster = subprocess.Popen([script, str(MEMBERS), data], env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            commands, variables = said(cluster)
            environment |= variables | {"ETCDCTL_API": "3"}
            found = {command: run(command, environment) for command in commands}
            check(found["etcdctl get greeting"] == "greeting\nhello\n", found)
            listed = found["etcdctl member list -w table"]
            check(listed.count("started") == MEMBERS, listed)
            killed = [shlex.split(command)[-1] for command in commands if command.startswith("kill -9")]
            check(len(killed) == 1, commands)
        finally:
            cluster.send_signal(signal.SIGTERM)
            cluster.wait(PATIENCE_S)
        left = subprocess.run(["pgrep", "-f", data], capture_output=True, text=True, timeout=PATIENCE_S).stdout
        check(not left, f"still running: {left}")
    print("ok")


if __name__ == "__main__":
    main()
