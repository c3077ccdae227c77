"""Random raw calls to etcd and to another server: random_test.py SUBJECT RPC_CALLS

Both are stopped once, and killed once, and go on.
RANDOM_CALLS_SEED sets the seed ("fresh" for a new one, which is printed) and
RANDOM_CALLS how many calls. The seed is fixed unless told otherwise, because some
seeds make etcd 3.4.23 panic (3622331282 does, in applying a transaction).
"""
import os
import pathlib
import random
import sys

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import compare
import server
from random_calls import Generator
from script import RawCall, Restart

SHOWN = 5


def main():
    subject, rpc_calls = map(os.path.abspath, sys.argv[1:3])
    seed = os.environ.get("RANDOM_CALLS_SEED", "1")
    seed = random.SystemRandom().randrange(1 << 32) if seed == "fresh" else int(seed)
    count = int(os.environ.get("RANDOM_CALLS") or 6000)
    print(f"RANDOM_CALLS_SEED={seed} RANDOM_CALLS={count}", flush=True)
    generator = Generator(seed)
    requests = [generator.call() for _ in range(count)]
    calls = [RawCall(f"call {number}", request, request) for number, request in enumerate(requests)]
    calls.insert(count // 3, Restart("first", "%restart"))
    calls.insert(2 * count // 3, Restart("second", "%kill"))
    client = compare.RawCalls(rpc_calls)
    mismatches, transcripts = compare.compare(calls, server.ETCD, client, subject, client)
    for mismatch in mismatches[:SHOWN]:
        print(mismatch, end="\n\n")
    refused = sum(transcript.startswith("error") for transcript in transcripts)
    print(f"{len(calls) - len(mismatches)} passed, {len(mismatches)} failed; etcd refused {refused}")
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
