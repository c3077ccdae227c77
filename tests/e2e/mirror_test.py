"""etcdctl make-mirror, from etcd to our server and the other way.

    mirror_test.py STRATAD

What is there at the start and what is put and deleted later has to arrive.
"""
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path.insert(0, str(HERE.parent / "harness"))

import server

PATIENCE_S = 20


def keys(member):
    return member.must("get", "", "--from-key")


def wait_for(member, expected):
    deadline = time.monotonic() + PATIENCE_S
    while keys(member) != expected:
        if time.monotonic() > deadline:
            raise server.ServerError(f"{member.binary} has\n{keys(member)}\nnot\n{expected}")
        time.sleep(0.1)


def mirror(source_binary, target_binary):
    with server.Server(source_binary) as source, server.Server(target_binary) as target:
        for number in range(20):
            source.must("put", f"key/{number:02}", f"value {number}")
        process = subprocess.Popen(
            [server.ETCDCTL, "make-mirror", "--endpoints=" + source.endpoint, target.endpoint],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=server.clean_environment())
        try:
            wait_for(target, keys(source))
            source.must("put", "key/05", "another")
            source.must("del", "key/07")
            source.must("txn", stdin=b"\nput x 1\nput y 2\n\n\n")
            source.must("put", "binary", stdin=bytes(range(256)))
            wait_for(target, keys(source))
        finally:
            process.kill()
            process.wait()
    print(f"{pathlib.Path(source_binary).name} to {pathlib.Path(target_binary).name}: ok")


def main():
    mirror(server.ETCD, sys.argv[1])
    mirror(sys.argv[1], server.ETCD)


if __name__ == "__main__":
    main()
