"""Client libraries of others, each run against etcd and against our server.

    clients_test.py STRATAD CLIENT [NODE_MODULES]

CLIENT is a .py or .js file of this folder. What it asks of the answers is asked of
etcd's too, so a check that asks for the wrong thing is found by etcd.
"""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import server

PATIENCE_S = 100


def command(client, node_modules, port):
    if client.suffix == ".js":
        return ["node", str(client), node_modules, str(port)]
    return ["/usr/bin/python3", str(client), str(port)]


def run(binary, client, node_modules):
    with server.Server(binary) as member:
        done = subprocess.run(command(client, node_modules, member.client_port), capture_output=True, text=True,
                              timeout=PATIENCE_S, stdin=subprocess.DEVNULL, env=server.clean_environment())
        if done.returncode != 0 or done.stdout.strip() != "ok":
            print(f"{client.name} against {binary}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{member.log_tail()}")
            return False
    print(f"{client.name} against {pathlib.Path(binary).name}: ok")
    return True


def node_modules_of(argument):
    """The folder that tools/setup has filled: beside this source, outside of the sandbox."""
    if not argument:
        return ""
    found = pathlib.Path(argument).resolve().parent / "node_modules"
    if not (found / "etcd3").is_dir():
        sys.exit(f"{found}/etcd3 is not there: run tools/setup")
    return str(found)


def main():
    subject, client = sys.argv[1], pathlib.Path(sys.argv[2])
    node_modules = node_modules_of(sys.argv[3] if len(sys.argv) > 3 else "")
    results = [run(binary, client.absolute(), node_modules) for binary in (server.ETCD, subject)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
