"""etcdctl check perf on etcd and on ours: the same verdicts. It takes a minute,
so it is not among the tests that run by themselves.

    check_perf_test.py STRATAD
"""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path.insert(0, str(HERE.parent / "harness"))

from server import ETCD, ETCDCTL, Server, clean_environment

PATIENCE_S = 150


def verdicts(output):
    """'PASS: Throughput', ...: without the figures."""
    return re.findall(r"(?:PASS|FAIL)(?:: \w+)?", output)


def main():
    # Both at once; the load is a hundredth of what either can do.
    with Server(ETCD) as theirs, Server(os.path.abspath(sys.argv[1])) as ours:
        checks = [subprocess.Popen([ETCDCTL, f"--endpoints={server.endpoint}", "check", "perf"], text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=clean_environment()) for server in (theirs, ours)]
        try:
            outputs = [check.communicate(timeout=PATIENCE_S)[0] for check in checks]
        finally:
            for check in checks:
                check.kill()
    expected, got = map(verdicts, outputs)
    print(outputs[1].rsplit("\r", 1)[-1])
    if len(expected) < 4 or got != expected or checks[0].returncode != checks[1].returncode:
        raise SystemExit(f"etcd: {checks[0].returncode} {expected}\nours: {checks[1].returncode} {got}")


if __name__ == "__main__":
    main()
