"""Each check of the tree finds the fault it is there for, and only that."""
import pathlib
import tempfile
import unittest

import format_check
import tree


class Planted(unittest.TestCase):
    """A small tree of its own for each test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)

    def plant(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def assert_found(self, problems, *words):
        """There is one problem, and it says each of `words`."""
        self.assertEqual(len(problems), 1, problems)
        for word in words:
            self.assertIn(word, problems[0])


class Format(Planted):

    def setUp(self):
        super().setUp()
        self.plant(".clang-format", "BasedOnStyle: Google\n")
        self.plant("base/good.cc", "int Answer() { return 42; }\n")

    def test_well_formed_tree_passes(self):
        self.assertEqual(format_check.problems(self.top), [])

    def test_badly_spaced_code(self):
        self.plant("base/bad.cc", "int  Answer( ) {return 42;}\n")
        self.assert_found(format_check.problems(self.top), "base/bad.cc:1")

    def test_blanks_at_line_end(self):
        self.plant("README.md", "one \ntwo\n")
        self.assert_found(format_check.problems(self.top), "README.md:1")

    def test_no_last_line_end(self):
        self.plant("README.md", "one")
        self.assert_found(format_check.problems(self.top), "README.md", "no end")

    def test_blank_lines_at_the_end(self):
        self.plant("README.md", "one\n\n")
        self.assert_found(format_check.problems(self.top), "blank lines")

    def test_tab_outside_of_make(self):
        self.plant("Makefile", "all:\n\ttrue\n")
        self.plant("tools/setup", "if true\n\tthen\n")
        self.assert_found(format_check.problems(self.top), "tools/setup:2")

    def test_what_bazel_and_git_leave_is_not_ours(self):
        self.plant("bazel-out/x.txt", "one")
        self.plant(".git/config", "one")
        self.plant("data/member/wal", "one")
        self.assertEqual(tree.files(self.top), [".clang-format", "base/good.cc"])


if __name__ == "__main__":
    unittest.main()
