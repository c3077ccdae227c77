"""Client libraries of others, each run against etcd and against our server.

    clients_test.py STRATAD CLIENT [NODE_MODULES]

Each is run without TLS and with it. CLIENT is a .py or .js file of this folder. What it asks of the answers is asked of
etcd's too, so a check that asks for the wrong thing is found by etcd.
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import certificates
import server

PATIENCE_S = 100


class TlsServer(server.Server):
    """One member that clients reach by https only."""

    def __init__(self, binary, authority, pair):
        port = server.free_port()
        url = f"https://127.0.0.1:{port}"
        super().__init__(binary, client_port=port, flags=[
            f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
            f"--cert-file={pair.cert}", f"--key-file={pair.key}"])
        self.authority = authority

    def ctl(self, *arguments, stdin=b""):
        return subprocess.run([server.ETCDCTL, f"--endpoints=https://{self.endpoint}", f"--cacert={self.authority}",
                               *arguments], input=stdin, capture_output=True, env=server.clean_environment())


def environment():
    """Without what would have requests trust other authorities than those it is given."""
    others = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return {name: value for name, value in server.clean_environment().items() if name not in others}


def command(client, node_modules, member):
    first = ["node", str(client), node_modules] if client.suffix == ".js" else ["/usr/bin/python3", str(client)]
    return [*first, str(member.client_port), *([str(member.authority)] if isinstance(member, TlsServer) else [])]


def run(new_member, client, node_modules):
    with new_member() as member:
        what = f"{client.name} against {type(member).__name__} of {pathlib.Path(member.binary).name}"
        done = subprocess.run(command(client, node_modules, member), capture_output=True, text=True,
                              timeout=PATIENCE_S, stdin=subprocess.DEVNULL, env=environment())
        if done.returncode != 0 or done.stdout.strip() != "ok":
            print(f"{what}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{member.log_tail()}")
            return False
    print(f"{what}: ok")
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
    root = server.scratch("strata-clients-")
    try:
        authority = certificates.Authority(root / "ca")
        pair = authority.issue("server", hosts=["127.0.0.1", "localhost"])
        members = [lambda binary=binary: server.Server(binary) for binary in (server.ETCD, subject)]
        members += [lambda binary=binary: TlsServer(binary, authority.cert, pair) for binary in (server.ETCD, subject)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda member: run(member, client.absolute(), node_modules), members))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
