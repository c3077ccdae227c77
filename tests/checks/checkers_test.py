"""Each check of the tree finds the fault it is there for, and only that."""
import os
import pathlib
import tempfile
import unittest

import ban_check
import console
import docs_check
import format_check
import layering_check
import length_check
import source
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


def function_of(lines, name="Long"):
    """A function of so many lines."""
    return f"int {name}() {{\n" + "  Step();\n" * (lines - 2) + "}\n"


class Length(Planted):

    def test_function_at_the_limit_passes(self):
        self.plant("base/a.cc", function_of(70))
        self.assertEqual(length_check.problems(self.top, {}), [])

    def test_function_over_the_limit(self):
        self.plant("base/a.cc", function_of(71))
        self.assert_found(length_check.problems(self.top, {}),
                          "base/a.cc Long: 71 lines")

    def test_listed_function_may_not_grow(self):
        self.plant("base/a.cc", function_of(81))
        self.assert_found(
            length_check.problems(self.top, {"base/a.cc Long": 80}), "grew")

    def test_list_shrinks_with_the_function(self):
        self.plant("base/a.cc", function_of(79))
        self.assert_found(
            length_check.problems(self.top, {"base/a.cc Long": 80}), "lower it")

    def test_list_names_nothing_that_is_short(self):
        self.plant("base/a.cc", function_of(9))
        self.assert_found(
            length_check.problems(self.top, {"base/a.cc Long": 80}), "take it out")

    def test_long_file(self):
        self.plant("base/a.h", "int x;\n" * 801)
        self.assert_found(length_check.problems(self.top, {}), "base/a.h: 801")

    def test_list_is_read(self):
        self.assertEqual(
            length_check.allowed_ones("# why\n\n80 base/a.cc Long  # soon\n"),
            {"base/a.cc Long": 80})


class Source(unittest.TestCase):

    def test_words_are_no_code(self):
        code = source.code_only(
            'f("a { b"); // }\n/* {\n*/ char c = \'{\'; int n = 1\'000;\n'
            'auto r = R"x({\n)" )x";\n#define OPEN {\nend();')
        self.assertNotIn("{", code)
        self.assertIn("1'000", code)
        self.assertEqual(code.count("\n"), 6)
        self.assertTrue(code.endswith("end();"))

    def test_functions_in_scopes(self):
        found = list(source.functions(
            "namespace strata {\n"
            "class A : public B {\n"
            " public:\n"
            "  A(int n)\n      : n_(n) {\n    Go();\n  }\n"
            "  struct Inner { int x = 0; };\n"
            "};\n"
            "enum class E { kOne };\n"
            "const int table[] = {1, 2};\n"
            "Status A::Run(int n) const {\n"
            "  if (n) { auto f = [&]() { return 1; }; }\n"
            "}\n"
            "TEST_F(Suite, Case) {\n}\n"
            "}  // namespace strata\n"))
        self.assertEqual(found, [("A", 4, 4), ("A::Run", 12, 3),
                                 ("Suite.Case", 15, 2)])


class Bans(Planted):

    def test_each_ban(self):
        for call, instead in (
                ("int f = ::open(p, 0);", "Env"),
                ("FILE* f = fopen(p, m);", "Env"),
                ("std::ifstream in(p);", "Env"),
                ("auto t = std::chrono::steady_clock::now();", "Loop::Now"),
                ("auto t = time(nullptr);", "Loop::Now"),
                ("std::this_thread::sleep_for(d);", "Loop::After"),
                ("std::thread t(f);", "a Loop"),
                ("int n = rand();", "Random"),
                ("std::random_device chance;", "Random"),
                ("auto v = getenv(n);", "option"),
                ("std::cout << n;", "Logger"),
                ("std::abort();", "CHECK"),
                ("assert(n);", "CHECK"),
                ("throw n;", "Status"),
                ("int n = atoi(p);", "from_chars"),
                ("using namespace std;", "full name")):
            self.plant("engine/a.cc", f"void F() {{\n  {call}\n}}\n")
            with self.subTest(call):
                self.assert_found(ban_check.problems(self.top),
                                  "engine/a.cc:2", instead)

    def test_what_only_looks_alike(self):
        self.plant("engine/a.cc", """// Calls open() and time(nullptr).
void F() {
  file->open(p);
  env.rename(a, b);
  Log("rand()");
  auto n = std::thread::hardware_concurrency();
  static_assert(sizeof(n) == 4);
  using namespace std::literals;
}
Status open(Path p);
""")
        self.assertEqual(ban_check.problems(self.top), [])

    def test_base_may_and_tests_may(self):
        for name in ("base/a.cc", "tests/a.cc", "engine/a_test.cc", "bench/a.cc"):
            self.plant(name, "int f = ::open(p, 0);\n")
        self.assertEqual(ban_check.problems(self.top), [])
        self.plant("engine/a_test.cc", "void F() { throw 1; }\n")
        self.assert_found(ban_check.problems(self.top), "engine/a_test.cc:1")


class Layering(Planted):

    def found(self, name, include):
        self.plant(name, f"#include {include}\n")
        return layering_check.include_problems(self.top)

    def test_arrows_that_hold(self):
        for name, include in (
                ("engine/a.cc", '"base/status.h"'),
                ("engine/b_test.cc", '"gtest/gtest.h"'),
                ("wal/a.cc", '"raft/types.h"'),
                ("server/a.cc", '"engine/store.h"'),
                ("strata.h", '"server/node.h"'),
                ("rpc/a.cc", "<grpcpp/grpcpp.h>"),
                ("cmd/a.cc", '"rpc/server.h"'),
                ("raft/a.cc", "<vector>")):
            self.assertEqual(self.found(name, include), [])

    def test_engine_knows_no_log(self):
        self.assert_found(self.found("engine/a.cc", '"wal/wal.h"'), "wal/wal.h")

    def test_wal_knows_only_types_of_raft(self):
        self.assert_found(self.found("wal/a.cc", '"raft/core.h"'), "raft/core.h")

    def test_base_knows_nobody(self):
        self.assert_found(self.found("base/a.cc", '"engine/store.h"'), "base/")

    def test_nobody_knows_mains(self):
        self.assert_found(self.found("rpc/a.cc", '"cmd/flags.h"'), "cmd/flags.h")

    def test_nothing_below_rpc_knows_grpc(self):
        self.assert_found(self.found("server/a.cc", "<grpcpp/grpcpp.h>"), "rpc")

    def test_server_knows_messages_but_no_services(self):
        self.assertEqual(
            self.found("server/a.cc", '"rpc/proto/rpc.pb.h"'), [])
        self.assert_found(
            self.found("server/a.cc", '"rpc/proto/rpc.grpc.pb.h"'), "grpc.pb.h")

    def test_facade_does_not_know_rpc(self):
        self.assert_found(self.found("strata.cc", '"rpc/services.h"'), "rpc/services.h")

    def test_raft_is_pure(self):
        self.assert_found(self.found("raft/a.cc", '"base/env.h"'), "no I/O")
        self.assert_found(self.found("raft/a.cc", "<thread>"), "no I/O")

    def test_product_does_not_link_tests(self):
        self.assert_found(self.found("engine/a.cc", '"gtest/gtest.h"'), "tests")

    def test_new_folder_needs_a_place(self):
        self.assert_found(self.found("misc/a.cc", '"base/status.h"'), "layers.py")

    def test_what_is_linked(self):
        good = ["//raft:raft", "//base:values"]
        self.assertEqual(layering_check.link_problems("raft", good), [])
        for bad in ("//base:env", "//base:core", "//base:random_seed.cc",
                    "//engine:store", "//third_party/system:grpc",
                    "//third_party/system:uring"):
            self.assert_found(
                layering_check.link_problems("raft", good + [bad]), bad)
        messages = ["//rpc/proto:messages_cc", "//third_party/system:protobuf"]
        self.assertEqual(layering_check.link_problems("server", messages), [])
        self.assertEqual(len(layering_check.link_problems("wal", messages)), 2)

    def test_an_empty_query_proves_nothing(self):
        self.assert_found(layering_check.link_problems("raft", []), "nothing")


class Documents(Planted):

    def setUp(self):
        super().setUp()
        self.plant("Makefile", "all test: # all\n\ttrue\n")
        self.plant("tools/setup", "true\n")
        self.plant("docs/examples/a.cc", "int Answer();\n  int x = 1;\n")

    def found(self, text):
        self.plant("README.md", text)
        return docs_check.problems(self.top)

    def test_true_document_passes(self):
        self.assertEqual(self.found("""# A title, here
[here](#a-title-here) [tools](tools/setup) [far](https://example.com/x)
`tools/setup` and `foreign/path`
```sh
make test
DATA=x tools/setup
git clone https://example.com/x
```
```cpp
int x = 1;
```
"""), [])

    def test_dead_links(self):
        self.assert_found(self.found("[a](b.md)\n"), "b.md")
        self.assert_found(self.found("# A\n[a](#b)\n"), "#b")

    def test_file_that_is_not_there(self):
        self.assert_found(self.found("`tools/gone`\n"), "tools/gone")

    def test_comment_on_a_file_that_is_not_there(self):
        self.plant("base/a.h", "// As tools/setup says.\n// As tools/gone.md says.\n")
        self.assert_found(self.found("text\n"), "base/a.h:2", "tools/gone.md")

    def test_commands(self):
        for command in ("make tset", "tools/gone", "curl x"):
            self.assert_found(self.found(f"```sh\n{command}\n```\n"), command)

    def test_code_that_is_in_no_example(self):
        self.assert_found(self.found("```cpp\nint y;\n```\n"), "docs/examples")

    def test_block_that_nothing_checks(self):
        self.assert_found(self.found("```python\nx\n```\n"), "python")

    def console(self, block):
        return list(console.problems(
            "README.md", f"```console\n{block}\n```\n", self.top, os.environ))

    def test_console_that_tells_the_truth(self):
        self.assertEqual(self.console("$ echo a; echo b\na\nb\n$ true"), [])
        self.assertEqual(self.console("$ seq 5\n1\n...\n5"), [])

    def test_console_that_does_not(self):
        self.assert_found(self.console("$ echo a\nb"), "$ echo a")
        self.assert_found(self.console("$ echo a"), "$ echo a")
        self.assert_found(self.console("$ seq 5\n1\n...\n4"), "$ seq 5")
        self.assert_found(self.console("no prompt"), "without a command")


if __name__ == "__main__":
    unittest.main()
