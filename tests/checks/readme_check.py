"""A newcomer's first minutes: what `make run` starts, and the README's session.

readme_check.py STRATAD
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import console
import tree

ROOT = tree.root()
sys.path.insert(0, str(ROOT / "tests/harness"))
import server  # noqa: E402  pylint: disable=wrong-import-position


def environment(endpoint):
    """etcdctl's default endpoint is 2379; here it is a free port."""
    return {**server.clean_environment(), "ETCDCTL_ENDPOINTS": endpoint}


def wait_until_healthy(process, env):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"tools/serve ended with {process.returncode}")
        health = subprocess.run([server.ETCDCTL, "endpoint", "health"], env=env,
                                capture_output=True, check=False)
        if health.returncode == 0:
            return
        time.sleep(0.1)
    sys.exit("not healthy after 30 s")


def hinted_problems(printed):
    """The commands `make run` says to type next work, as they are."""
    env = server.clean_environment()
    commands = re.findall(r"^  (etcdctl .*)$", printed, re.MULTILINE)
    if not commands:
        yield f"make run says no command to type next: {printed}"
    for command in commands:
        run = subprocess.run(["bash", "-c", command], env=env, text=True,
                             capture_output=True, check=False)
        if run.returncode:
            yield f"make run says {command}: {run.stderr}"


def main():
    stratad = pathlib.Path(sys.argv[1]).resolve()
    endpoint = f"127.0.0.1:{server.free_port()}"
    env = environment(endpoint)
    with tempfile.TemporaryDirectory() as folder:
        printed = pathlib.Path(folder) / "printed"
        with open(printed, "wb") as out:
            process = subprocess.Popen(
                [ROOT / "tools/serve", endpoint, f"{folder}/data",
                 "--listen-peer-urls", f"http://127.0.0.1:{server.free_port()}"],
                stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, "STRATAD": str(stratad)})
        try:
            wait_until_healthy(process, env)
            found = list(console.problems(
                "README.md", tree.read(ROOT, "README.md"), ROOT, env))
            found += hinted_problems(printed.read_text(errors="replace"))
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
        if code != 0:
            found.append(f"stratad ended with {code} after SIGTERM")
        if found:
            print(printed.read_text(errors="replace"))
    tree.finish(found, 1)


if __name__ == "__main__":
    main()
