"""Runs scripts against etcd and against another server, and compares.

    run.py --subject STRATAD [--rpc-calls BINARY] [--show] SCRIPT...

A .script has etcdctl calls, an .rpc raw ones, made by --rpc-calls, an .http
requests to the JSON gateway and the plain paths. Each has two fresh servers to
itself. Prints a diff for every call whose answer differs, then
how many calls were equal. --show prints what etcd said.
"""
import argparse
import concurrent.futures
import os
import pathlib
import sys

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import compare
import script
import server


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subject", required=True, help="the server to judge")
    parser.add_argument("--etcd", default=server.ETCD)
    parser.add_argument("--etcdctl", default=server.ETCDCTL)
    parser.add_argument("--subject-etcdctl", help="another etcdctl for the subject's side")
    parser.add_argument("--rpc-calls", help="the built rpc_calls")
    parser.add_argument("--at-least", type=int, default=0, help="fail if there are fewer calls than this")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("scripts", nargs="+", type=pathlib.Path)
    return parser.parse_args()


def load(path):
    parse = {".rpc": script.parse_rpc, ".http": script.parse_http}.get(path.suffix, script.parse)
    return parse(path.name, path.read_text())


def clients(path, options):
    """Who makes the calls of a script against etcd and against the subject."""
    if path.suffix == ".rpc":
        return compare.RawCalls(options.rpc_calls), compare.RawCalls(options.rpc_calls)
    if path.suffix == ".http":
        return compare.HttpCalls(), compare.HttpCalls()
    return compare.Etcdctl(options.etcdctl), compare.Etcdctl(options.subject_etcdctl or options.etcdctl)


def main():
    options = parse_arguments()
    scripts = [load(path) for path in options.scripts]

    def run(path, calls):
        etcd_client, subject_client = clients(path, options)
        return compare.compare(calls, options.etcd, etcd_client, options.subject, subject_client)

    passed = failed = 0
    # Two scripts at a time keep both of a small machine's cores busy.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, calls, result in zip(options.scripts, scripts, list(map(pool.submit, [run] * len(scripts),
                                                                          options.scripts, scripts))):
            try:
                mismatches, transcripts = result.result()
            except Exception as error:
                print(f"{path.name}: {error}")
                failed += len(calls)
                continue
            if options.show:
                for call, said in zip(calls, transcripts):
                    print(f"{call.where}: {call.text}\n{said}\n")
            for mismatch in mismatches:
                print(mismatch, end="\n\n")
            failed += len(mismatches)
            passed += len(calls) - len(mismatches)
    print(f"{passed} passed, {failed} failed")
    if passed + failed < options.at_least:
        print(f"only {passed + failed} calls where {options.at_least} are asked for")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
