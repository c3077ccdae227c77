"""Counts the tests of a Bazel run: count_tests.py BUILD_EVENTS.json

Prints "N passed, N failed". A test that was asked for and has no passing
result (not built, timed out, never started) has failed. The exit code is 0 if
at least one test passed and none failed.
"""
import json
import sys


def read_events(path):
    """The events of the file; a run that was killed may leave half a line."""
    events = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            try:
                events.append(json.loads(line))
            except ValueError:
                continue
    return events


def outcomes(events):
    """A dict from each test's label to whether it passed."""
    passed = {}
    for event in events:
        name = event["id"]
        if "targetConfigured" in name:
            kind = event.get("configured", {}).get("targetKind", "")
            if kind.endswith("_test rule"):
                passed.setdefault(name["targetConfigured"]["label"], False)
        elif "testSummary" in name:
            status = event["testSummary"]["overallStatus"]
            label = name["testSummary"]["label"]
            passed[label] = status in ("PASSED", "FLAKY")
    return passed


def main():
    passed = outcomes(read_events(sys.argv[1]))
    failed = sorted(label for label, ok in passed.items() if not ok)
    for label in failed:
        print("failed:", label)
    print(f"{len(passed) - len(failed)} passed, {len(failed)} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
