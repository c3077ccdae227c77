"""The conformance runner, tried where the answer is known: checker_test.py RPC_CALLS

Two real etcds must come out equal over every script. Then differences are
planted, one at a time, and each must be reported with the call that shows it.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import normalise
import script
import server

RPC_CALLS = os.path.abspath(sys.argv.pop(1))

SHORT = """\
put a 1
put a 2
get a -w json
get absent
get a --rev=99
endpoint status -w json
"""


def run(*arguments):
    return subprocess.run([sys.executable, str(HERE / "run.py"), "--subject", server.ETCD, *arguments],
                          capture_output=True, text=True)


class Equal(unittest.TestCase):
    def equal(self, pattern, *flags):
        done = run(*flags, *map(str, sorted(HERE.glob(pattern))))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(" passed, 0 failed", done.stdout)

    def test_two_etcds_are_equal_over_every_script(self):
        self.equal("*.script", "--at-least", "200")

    def test_two_etcds_are_equal_over_every_raw_call(self):
        self.equal("*.rpc", "--rpc-calls", RPC_CALLS, "--at-least", "80")

    def test_too_few_calls_fail(self):
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch, "short.script")
            path.write_text(SHORT)
            done = run("--at-least", "7", str(path))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("only 6 calls", done.stdout)


class Planted(unittest.TestCase):
    """An etcdctl that lies on the subject's side."""

    def planted(self, shell):
        """The runner's result when `shell` stands before the subject's etcdctl."""
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch, "short.script")
            path.write_text(SHORT)
            liar = pathlib.Path(scratch, "etcdctl")
            liar.write_text(f"#!/bin/bash\nshift_to_call=\"${{*:2}}\"\n{shell}\nexec {server.ETCDCTL} \"$@\"\n")
            liar.chmod(0o755)
            return run("--subject-etcdctl", str(liar), str(path))

    def expect(self, shell, call, *parts):
        done = self.planted(shell)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(f": etcdctl {call}\n", done.stdout)
        self.assertIn("5 passed, 1 failed", done.stdout)
        for part in parts:
            self.assertIn(part, done.stdout)

    def on(self, call, then):
        return f"if [ \"$shift_to_call\" = '{call}' ]; then {then}; fi"

    def test_nothing_planted(self):
        done = self.planted("true")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_another_value(self):
        pipe = f"{server.ETCDCTL} \"$@\" | sed s/Mg==/Mw==/; exit 0"
        self.expect(self.on("get a -w json", pipe), "get a -w json", "short.script:3", '-{"header"', '"value":"Mw=="')

    def test_another_revision(self):
        pipe = f"{server.ETCDCTL} \"$@\" | sed s/mod_revision\\\":3/mod_revision\\\":4/; exit 0"
        self.expect(self.on("get a -w json", pipe), "get a -w json")

    def test_another_member_id(self):
        pipe = f"{server.ETCDCTL} \"$@\" | sed 's/leader\\\":1/leader\\\":2/'; exit 0"
        self.expect(self.on("endpoint status -w json", pipe), "endpoint status -w json")

    def test_no_database_size(self):
        pipe = f"{server.ETCDCTL} \"$@\" | sed 's/dbSize\\\":[0-9]*/dbSize\\\":0/'; exit 0"
        self.expect(self.on("endpoint status -w json", pipe), "endpoint status -w json")

    def test_another_exit_code(self):
        self.expect(self.on("get absent", "exit 5"), "get absent", "-exit 0", "+exit 5")

    def test_another_error(self):
        pipe = f"{server.ETCDCTL} \"$@\" 2> >(sed s/OutOfRange/NotFound/ >&2); exit 1"
        self.expect(self.on("get a --rev=99", pipe), "get a --rev=99", "code = NotFound")

    def test_a_call_that_does_more(self):
        """A key put twice shows in everything after it."""
        done = self.planted(self.on("put a 1", f'{server.ETCDCTL} "$1" put other 1 >/dev/null'))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("etcdctl get a -w json\n", done.stdout)
        self.assertIn("etcdctl endpoint status -w json\n", done.stdout)

    def test_a_raw_call_that_differs(self):
        """The subject's calls go through a filter that changes one answer."""
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch, "short.rpc")
            path.write_text('KV/Put key: "a" value: "1"\nKV/Range\n  key: "a"\nKV/Range\n')
            liar = pathlib.Path(scratch, "calls")
            # Only one of the two sides: the first to make the directory.
            liar.write_text(f"#!/bin/bash\nif mkdir {scratch}/first 2>/dev/null; then exec {RPC_CALLS} $1; fi\n"
                            f"{RPC_CALLS} $1 | sed 's/mod_revision: 2/mod_revision: 3/'\n")
            liar.chmod(0o755)
            done = run("--rpc-calls", str(liar), str(path))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn('short.rpc:2: KV/Range\n  key: "a"\n', done.stdout)
        self.assertIn("mod_revision: 3", done.stdout)
        self.assertIn("2 passed, 1 failed", done.stdout)

    def test_a_subject_that_does_not_start(self):
        with tempfile.TemporaryDirectory() as scratch:
            path = pathlib.Path(scratch, "short.script")
            path.write_text(SHORT)
            done = run("--subject", "/bin/false", str(path))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("/bin/false ended with 1", done.stdout)
        self.assertIn("0 passed, 6 failed", done.stdout)


class Normalise(unittest.TestCase):
    """What varies goes, and nothing beside it."""

    def same(self, one, other):
        self.assertEqual(normalise.text(one.encode(), "127.0.0.1:1"), normalise.text(other.encode(), "127.0.0.1:1"))

    def differ(self, one, other):
        self.assertNotEqual(normalise.text(one.encode(), "127.0.0.1:1"), normalise.text(other.encode(), "127.0.0.1:1"))

    def test_json(self):
        self.same('{"dbSize":20480,"raft_term":2}', '{"dbSize":4096,"raft_term":9}')
        self.differ('{"revision":1}', '{"revision":2}')
        self.differ('{"compact_revision":-1}', '{"compact_revision":0}')
        self.differ('{"version":1}', '{"version":2}')

    def test_server_version(self):
        self.same('{"version":"3.4.23"}', '{"version":"3.4.0"}')
        self.differ('{"version":"3.4.23"}', '{"version":"3.5.23"}')

    def test_status(self):
        line = "127.0.0.1:1, 8e9e05c52164694d, 3.4.23, 20 kB, true, false, 2, 8, 8, "
        self.same(line, line.replace("20 kB", "1.3 MB").replace("2, 8, 8", "3, 4, 5"))
        self.differ(line, line.replace("true", "false"))
        self.differ(line, line.replace("8e9e", "8e9f"))
        self.differ(line, line.replace("2, 8, 8", "0, 8, 8"))

    def test_fields(self):
        self.same('"RaftTerm" : 2', '"RaftTerm" : 3')
        self.differ('"RaftTerm" : 2', '"RaftTerm" : 0')
        self.same("  raft_term: 2", "  raft_term: 3")
        self.differ("  raft_term: 2", "  raft_term: 0")
        self.differ('"Revision" : 2', '"Revision" : 3')

    def test_timings(self):
        self.same("took = 1.5ms", "took = 900µs")
        self.differ("took = 1.5ms", "took = forever")

    def test_log_lines(self):
        self.same('{"level":"warn","ts":"1","msg":"m"}', '{"level":"warn","ts":"2","msg":"m"}')
        self.differ('{"level":"warn","ts":"1","msg":"m"}', '{"level":"warn","ts":"1","msg":"n"}')

    def test_protobuf(self):
        # header {cluster_id 1, member_id 2, revision 3, raft_term 4}, then a field.
        header = bytes([0x0a, 8, 8, 1, 16, 2, 24, 3, 32, 4])
        self.assertEqual(normalise.response(header + bytes([16, 7])), "1: {1: 1, 2: 2, 3: 3, 4: <varies>}, 2: 7")
        self.assertIn("cut short", normalise.response(header[:-1] + bytes([0x80])))

    def test_long_lines_stay_comparable(self):
        self.differ("a" * 1000 + "b", "a" * 1000 + "c")


class Script(unittest.TestCase):
    def test_words(self):
        self.assertEqual(script.words("put 'a b' \"c#\" d#e # comment"), [b"put", b"a b", b"c#", b"d#e"])
        self.assertEqual(script.words(r"get $'\x00\xff\n' x'y'"), [b"get", b"\0\xff\n", b"xy"])
        self.assertEqual(script.words("put '' {k*3}x"), [b"put", b"", b"kkkx"])

    def test_stdin(self):
        calls = script.parse("f", "put k <{v*4}\n# no call\n\ntxn <<E\n%repeat 2 get %d\n\nE\nget k\n")
        self.assertEqual([call.stdin for call in calls], [b"vvvv", b"get 0\nget 1\n\n", b""])
        self.assertEqual([call.where for call in calls], ["f:1", "f:4", "f:8"])

    def test_raw_calls(self):
        calls = script.parse_rpc("f", '# c\nKV/Txn\n  %repeat 2 a%d\n  "{x*3}"\n\nKV/Range k: 1\n= error 3: no\n')
        self.assertEqual([call.request for call in calls], ['KV/Txn a0 a1 "xxx"', "KV/Range k: 1"])
        self.assertEqual([call.expected for call in calls], ["", "error 3: no\n"])
        self.assertEqual([call.where for call in calls], ["f:2", "f:6"])

    def test_no_end(self):
        with self.assertRaises(script.ScriptError):
            script.parse("f", "txn <<E\nget a\n")


if __name__ == "__main__":
    unittest.main()
