"""CI's count is right for passing, failing, unbuilt and no tests."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent / "count_tests.py"


def asked(label):
    return {"id": {"targetConfigured": {"label": label}},
            "configured": {"targetKind": "cc_test rule"}}


def ended(label, status):
    return {"id": {"testSummary": {"label": label}},
            "testSummary": {"overallStatus": status}}


class CountTests(unittest.TestCase):

    def count(self, *events, tail=""):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write("".join(json.dumps(event) + "\n" for event in events) + tail)
            file.flush()
            run = subprocess.run([sys.executable, SCRIPT, file.name], text=True,
                                 stdout=subprocess.PIPE, check=False)
        return run.returncode, run.stdout.splitlines()[-1]

    def test_all_pass(self):
        library = {"id": {"targetConfigured": {"label": "//:c"}},
                   "configured": {"targetKind": "cc_library rule"}}
        self.assertEqual(
            self.count(library, asked("//:a"), ended("//:a", "PASSED"),
                       asked("//:b"), ended("//:b", "FLAKY")),
            (0, "2 passed, 0 failed"))

    def test_one_fails(self):
        self.assertEqual(
            self.count(asked("//:a"), ended("//:a", "PASSED"),
                       asked("//:b"), ended("//:b", "TIMEOUT")),
            (1, "1 passed, 1 failed"))

    def test_what_was_not_built_has_failed(self):
        self.assertEqual(
            self.count(asked("//:a"), ended("//:a", "PASSED"), asked("//:b")),
            (1, "1 passed, 1 failed"))

    def test_no_test_is_no_success(self):
        self.assertEqual(self.count(), (1, "0 passed, 0 failed"))

    def test_a_killed_run_still_counts(self):
        self.assertEqual(
            self.count(asked("//:a"), ended("//:a", "PASSED"), asked("//:b"),
                       tail='{"id": {"testSumm'),
            (1, "1 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
