"""Kills the server at random moments under load: kill9_test.py STRATAD WRITERS RPC_CALLS

After each restart every acknowledged write is there with its revision, no txn
is half there, revisions have no gap, and there is nothing no one wrote. Prints
its seed; KILL9_SEED repeats one, KILL9_ROUNDS sets the number of rounds.
"""
import os
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import ledger
import server

WRITERS = 64
ROUNDS_PER_LIFE = 5
# Each data directory lives with flags that move where the work is done.
LIVES = (
    [],
    ["--snapshot-count=1000"],
    ["--backend-batch-interval=5ms", "--backend-batch-limit=100"],
    ["--snapshot-count=100", "--backend-batch-interval=1s"],
)


def write_until_killed(subject, writers, name, seconds):
    """Runs the writers, kills the server under them; the ledger."""
    process = subprocess.Popen([writers, subject.endpoint, str(WRITERS), name], stdout=subprocess.PIPE, text=True)
    time.sleep(seconds)
    subject.kill()
    out, _ = process.communicate(timeout=60)
    return ledger.parse(out)


def restart(subject, chance):
    """Starts it again, at times after killing it while it recovers."""
    while chance.random() < 0.3:
        subject.launch()
        time.sleep(chance.uniform(0.005, 0.3))
        subject.kill()
    subject.start()


def live(stratad, writers, rpc_calls, flags, rounds, first, chance):
    """Rounds of load, kill, restart and check on one data directory."""
    acked, unknown = [], []
    with server.Server(stratad, flags=flags) as subject:
        for number in range(first, first + rounds):
            seconds = chance.uniform(0.05, 0.6)
            new_acked, new_unknown = write_until_killed(subject, writers, f"r{number}", seconds)
            acked += new_acked
            unknown += new_unknown
            restart(subject, chance)
            wrong, contents = ledger.check(subject, rpc_calls, acked, unknown)
            print(f"round {number} {' '.join(flags)}: killed after {seconds:.3f} s, {len(new_acked)} acknowledged, "
                  f"{len(new_unknown)} unknown, revision {contents.revision}, {len(wrong)} wrong", flush=True)
            if wrong:
                print("\n".join(wrong[:20]), subject.log_tail(), sep="\n")
                return False
            if not new_acked:
                print("no write was acknowledged: this round shows nothing")
    return bool(acked)


def main():
    stratad, writers, rpc_calls = map(os.path.abspath, sys.argv[1:4])
    seed = int(os.environ.get("KILL9_SEED") or random.SystemRandom().randrange(1 << 32))
    rounds = int(os.environ.get("KILL9_ROUNDS") or len(LIVES) * ROUNDS_PER_LIFE)
    print(f"KILL9_SEED={seed} KILL9_ROUNDS={rounds}", flush=True)
    chance = random.Random(seed)
    for first in range(0, rounds, ROUNDS_PER_LIFE):
        flags = LIVES[first // ROUNDS_PER_LIFE % len(LIVES)]
        if not live(stratad, writers, rpc_calls, flags, min(ROUNDS_PER_LIFE, rounds - first), first, chance):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
