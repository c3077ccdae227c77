"""Files that are damaged by chance, cut or missing: bad_input_test.py STRATAD

For each, either the start is refused with exit code 1, naming the file and
leaving every file as it was, or the server serves exactly what it served before
the damage. It never serves anything else, and never dies of a signal. Faults
that must be refused are damage_test.py's. Prints its seed; BAD_INPUT_SEED
repeats one, BAD_INPUT_SHOW=1 shows what was said.
"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import sys
import time
import unittest

HERE = pathlib.Path(os.path.abspath(__file__)).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

import log_frames
import server
from server import Server

STRATAD = os.path.abspath(sys.argv.pop(1))
SEED = int(os.environ.get("BAD_INPUT_SEED") or random.SystemRandom().randrange(1 << 32))
PAGE = 4096
PAGE_HEADER = 16
FLIPS = 15


def view(subject):
    """All a server serves of the keys, and its hash."""
    newest = json.loads(subject.must("get", "", "--prefix", "--write-out=json"))
    newest["header"].pop("raft_term")
    return newest, subject.must("endpoint", "hashkv").split(", ")[1]


def fill(subject):
    for number in range(40):
        subject.must("put", f"k/{number % 25}", "v" * 50 * number)
    subject.must("del", "k/3")
    subject.must("txn", stdin=b"\nput t/1 x\nput t/2 y\n\n\n")


def content(root):
    """Every file with a sum of its bytes."""
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*")) if path.is_file()}


def flip(path, offset, chance):
    """Changes one byte to another."""
    with open(path, "r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ chance.randint(1, 255)]))


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"BAD_INPUT_SEED={SEED}")
        cls.root = server.scratch("strata-bad-")
        cls.stopped, cls.killed = cls.root / "stopped", cls.root / "killed"
        with Server(STRATAD, cls.stopped) as subject:
            fill(subject)
            cls.expected = view(subject)
            subject.stop()
        # Nothing but the log has what was written.
        with Server(STRATAD, cls.killed, flags=["--backend-batch-interval=1h"]) as subject:
            fill(subject)
            subject.kill()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)

    def setUp(self):
        self.chance = random.Random(f"{SEED} {self.id()}")
        self.data = self.root / "data"
        self.fresh(self.stopped)

    def fresh(self, source):
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(source, self.data)

    def file(self, pattern):
        return sorted((self.data / "member").glob(pattern))[0]

    def start(self):
        """A started server, or None and what the refused one said."""
        subject = Server(STRATAD, self.data)
        self.addCleanup(subject.close)
        subject.launch()
        deadline = time.monotonic() + 20
        while subject.process.poll() is None and "ready to serve" not in subject.log():
            self.assertLess(time.monotonic(), deadline, "neither refused nor ready:\n" + subject.log_tail())
            time.sleep(0.01)
        if subject.process.poll() is None:
            return subject, ""
        self.assertEqual(subject.process.returncode, 1, subject.log_tail())
        return None, subject.log()

    def refused(self, *names):
        before = content(self.data)
        subject, said = self.start()
        self.assertIsNone(subject, f"{names}: it was started")
        for name in names:
            self.assertIn(str(name), said)
        self.assertEqual(content(self.data), before)
        return said

    def refused_or_right(self, what):
        """Whether it was refused."""
        before = content(self.data)
        subject, said = self.start()
        if subject:
            self.assertEqual(view(subject), self.expected, what)
            subject.close()
            return False
        self.assertRegex(said, f"{self.data}/[^ ]+ offset [0-9]+: ", what)
        self.assertEqual(content(self.data), before, what)
        if os.environ.get("BAD_INPUT_SHOW"):
            print(what, said.splitlines()[-1])
        return True

    # --- the database file ---

    def test_db_of_no_pages(self):
        db = self.file("snap/db")
        for size in (1, PAGE - 1, PAGE, 2 * PAGE - 1):
            self.fresh(self.stopped)
            os.truncate(db, size)
            self.refused(db)

    def test_db_cut(self):
        db = self.file("snap/db")
        for part in (2, 3, 5):
            self.fresh(self.stopped)
            os.truncate(db, db.stat().st_size // part // PAGE * PAGE)
            self.assertTrue(self.refused_or_right(f"cut to 1/{part}") or part == 2)

    def test_one_meta(self):
        """The other one is used, and the log has what it lacks."""
        db = self.file("snap/db")
        for page in (0, 1):
            for offset in range(PAGE_HEADER, PAGE_HEADER + 64, 13):
                self.fresh(self.stopped)
                flip(db, page * PAGE + offset, self.chance)
                self.refused_or_right(f"meta {page} at {offset}")

    def test_page_headers(self):
        db = self.file("snap/db")
        pages = db.stat().st_size // PAGE
        for _ in range(FLIPS):
            self.fresh(self.stopped)
            offset = self.chance.randrange(pages) * PAGE + self.chance.randrange(PAGE_HEADER)
            flip(db, offset, self.chance)
            self.refused_or_right(f"db at {offset}")

    def test_no_db(self):
        """The log alone has everything, as long as none of it was released."""
        self.file("snap/db").unlink()
        self.refused_or_right("no db")

    def test_empty_db(self):
        """Not taken for a new one."""
        os.truncate(self.file("snap/db"), 0)
        self.refused_or_right("empty db")

    # --- the log ---

    def used(self, segment):
        """Bytes of a segment before its zeros."""
        return len(segment.read_bytes().rstrip(b"\0"))

    def test_log_bytes_of_a_killed_one(self):
        """The last record may be a torn one; every other byte was synced."""
        self.fresh(self.killed)
        segment = self.file("wal/*.wal")
        used = self.used(segment)
        for offset in self.chance.sample(log_frames.summed(segment.read_bytes(), used - 1000), FLIPS):
            self.fresh(self.killed)
            flip(segment, offset, self.chance)
            self.assertTrue(self.refused_or_right(f"log at {offset} of {used}"))

    def test_log_cut(self):
        segment = self.file("wal/*.wal")
        used = self.used(segment)
        for size in (0, 7, 100, used // 2, used - 9):
            self.fresh(self.stopped)
            os.truncate(segment, size)
            self.refused_or_right(f"log cut to {size} of {used}")

    def test_no_log(self):
        self.file("wal/*.wal").unlink()
        self.refused(self.data)

    def test_no_log_directory(self):
        """A database without its log is not taken for a new member's."""
        shutil.rmtree(self.data / "member" / "wal")
        self.refused(self.data)

    # --- what is no directory of ours ---

    def test_file_where_the_directory_is(self):
        shutil.rmtree(self.data)
        self.data.write_text("a file")
        self.addCleanup(self.data.unlink)
        subject, said = self.start()
        self.assertIsNone(subject)
        self.assertIn(str(self.data), said)
        self.assertEqual(self.data.read_text(), "a file")

    def test_as_it_was_left(self):
        self.assertFalse(self.refused_or_right("undamaged"))
        self.fresh(self.killed)
        self.assertFalse(self.refused_or_right("undamaged, killed"))


if __name__ == "__main__":
    unittest.main()
