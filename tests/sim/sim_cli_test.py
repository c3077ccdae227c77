"""The simulator's command line, on seeds that nobody has run before: what it
prints, what it ends with, and that what it says again is the same again.

    sim_cli_test.py SIM
"""
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

SECONDS = 300


def run(*args):
    done = subprocess.run([sys.argv[1], *args], timeout=SECONDS, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def number(pattern, text):
    found = re.search(pattern, text)
    assert found, f"no {pattern} in:\n{text}"
    return float(found[1])


def fresh_seeds():
    """Runs that are others each time; a failure says how to have it again."""
    first = int(time.time())
    code, text = run(f"--first={first}", "--minutes=0.2")
    print(text)
    assert code == 0, f"first seed {first}: what is found is in the output"
    assert number(r"(?m)^seeds \d+, simulated ([\d.]+) h \(\d+ s per CPU second\)"
                  r", operations \d+, faults \d+$", text) > 0
    assert number(r"(?m)^seeds (\d+)$", text) > 0
    assert number(r"(?m)^faults (\d+): bad network \d+, ", text) > 0
    assert number(r"([\d.]+) simulated seconds per CPU second", text) > 0


def hours_on_two_cores():
    code, text = run("--hours-simulated=0.05", "--jobs=2", "--first=70000")
    assert code == 0, text
    assert number(r"simulated [\d.]+ s, ([\d.]+) h", text) >= 0.05


def finds(scratch):
    """A violation ends it, is told with its command, and drawn."""
    page = scratch / "run.html"
    code, text = run("--plant=a follower keeps what conflicts", "--seeds=20",
                     "--seconds=20", "--jobs=2", f"--timeline={page}")
    assert code == 1, text
    told = re.search(r"(?m)^seed=(\d+): (.+)$", text)
    again = re.search(r"(?m)^again: bazel run //tests/sim -- (.+)$", text)
    assert told and again, text
    assert f"drawn: {page}" in text and page.stat().st_size > 1000, text
    code, second = run(*shlex.split(again[1]), f"--timeline={page}")
    assert code == 1 and told[0] in second, second


def refuses():
    for wrong in ("--seedz=1", "--plant=nothing of that name"):
        code, text = run(wrong)
        assert code == 2 and text, text


def main():
    refuses()
    hours_on_two_cores()
    with tempfile.TemporaryDirectory(prefix="strata-sim-") as name:
        finds(pathlib.Path(name))
    fresh_seeds()


if __name__ == "__main__":
    main()
