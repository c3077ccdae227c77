"""Watchers under load, restarts and compactions: watch_load_test.py STRATAD LOAD

Kills or stops the server every few seconds while LOAD (watch_load.cc) writes and
watches, which then says whether every watcher was told what it was promised.
Prints its seed; WATCH_SEED repeats one.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import server

RESTART_EVERY_S = (3, 8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("load")
    parser.add_argument("--watchers", type=int, default=80)
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args()
    seed = int(os.environ.get("WATCH_SEED", random.randrange(1 << 30)))
    print(f"WATCH_SEED={seed}", flush=True)
    chance = random.Random(seed)
    with server.Server(options.server, client_port=server.free_port()) as subject:
        load = subprocess.Popen([options.load, subject.endpoint, str(options.watchers), str(options.seconds), str(seed)])
        try:
            end = time.monotonic() + options.seconds
            restarts = 0
            while load.poll() is None and time.monotonic() < end:
                time.sleep(min(chance.uniform(*RESTART_EVERY_S), max(0, end - time.monotonic())))
                if time.monotonic() >= end:
                    break
                if chance.random() < 0.5:
                    subject.kill()
                else:
                    subject.stop()
                subject.start()
                restarts += 1
            code = load.wait(120)
        finally:
            load.kill()
            load.wait()
        print(f"{restarts} restarts; the server had {subject.process.poll()} as its exit code")
        return code


if __name__ == "__main__":
    sys.exit(main())
