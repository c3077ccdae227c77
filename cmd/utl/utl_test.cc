#include "cmd/utl/utl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/fake_env.h"
#include "base/transcript.h"
#include "cmd/utl/explain.h"
#include "cmd/utl/utl_testing.h"

namespace strata::utl {
namespace {

class UtlTest : public testing::Test {
 protected:
  void SetUp() override {
    MakeDb(&env_);
    MakeLog(&env_);
  }

  // Commands are those of stratautl; `cut N` and `flip OFFSET BIT` damage the
  // log, as a crash or a disk would.
  std::string Answer(const TranscriptCommand& command) {
    if (command.name == "cut") {
      std::string log = Content(&env_, kSegment);
      std::fill(log.begin() + std::stol(command.args[0]), log.end(), '\0');
      Overwrite(&env_, kSegment, log);
      return "";
    }
    if (command.name == "flip") {
      env_.FlipBit(kSegment, std::stoull(command.args[0]),
                   std::stoi(command.args[1]));
      return "";
    }
    std::vector<std::string> arguments = {command.name};
    std::istringstream words(command.line.substr(command.name.size()));
    for (std::string word; words >> word;) arguments.push_back(word);
    const Outcome outcome = RunLine(&env_, arguments);
    std::string answer = outcome.out + outcome.err;
    if (outcome.code != 0) answer += "exit " + std::to_string(outcome.code);
    while (answer.ends_with('\n')) answer.pop_back();
    return answer;
  }

  void Transcript(const std::string& name) {
    EXPECT_EQ(
        RunTranscript("cmd/utl/testdata/" + name,
                      [this](const auto& command) { return Answer(command); }),
        "");
  }

  FakeEnv env_;
};

TEST_F(UtlTest, Pages) { Transcript("page.txt"); }
TEST_F(UtlTest, Keys) { Transcript("keys.txt"); }
TEST_F(UtlTest, Log) { Transcript("wal.txt"); }

// Every byte of a page that is in use is explained, once; what is called unused
// is zeros.
TEST_F(UtlTest, EveryByteHasAMeaning) {
  const auto file = btree::Inspection::Open(&env_, kDb);
  ASSERT_TRUE(file.ok()) << file.status();
  const btree::PageMap map =
      btree::MapPages((*file)->TreeOf((*file)->metas().Newest()),
                      [](const Status& fault) { return fault.ok(); }, nullptr);
  const uint64_t page_size = (*file)->page_size();
  int explained = 0;
  for (uint64_t page = 0; page < map.pages.size(); ++page) {
    const btree::PageUse& use = map.pages[page];
    if (use.role == btree::PageRole::kFree ||
        use.role == btree::PageRole::kOverflow) {
      continue;
    }
    const uint64_t begin = page * page_size;
    const uint64_t bytes = (use.overflow + 1) * page_size;
    PageExplainer explainer({(*file)->data() + begin, bytes}, begin,
                            map.buckets[use.bucket]);
    uint64_t at = begin;
    for (const ByteRange& range : explainer.Explain(page)) {
      EXPECT_EQ(range.offset, at) << "page " << page << " " << range.field;
      EXPECT_GT(range.bytes, 0);
      if (range.field == "unused") {
        EXPECT_EQ(range.meaning, "zeros") << "page " << page << " at " << at;
      }
      at = range.offset + range.bytes;
    }
    EXPECT_EQ(at, begin + bytes);
    ++explained;
  }
  EXPECT_GE(explained, 8);
}

TEST_F(UtlTest, EachHelpHasAnExample) {
  const std::vector<std::vector<std::string>> commands = {
      {},
      {"db"},
      {"db", "check"},
      {"db", "stats"},
      {"db", "pages"},
      {"db", "page"},
      {"db", "buckets"},
      {"db", "keys"},
      {"db", "get"},
      {"db", "history"},
      {"db", "dump"},
      {"db", "compact"},
      {"db", "copy"},
      {"db", "convert"},
      {"db", "advice"},
      {"wal"},
      {"wal", "dump"},
      {"wal", "check"},
      {"hashkv"},
      {"snapshot"},
      {"snapshot", "status"},
      {"defrag"},
      {"version"}};
  for (std::vector<std::string> command : commands) {
    std::string line = "stratautl";
    for (const std::string& word : command) line += " " + word;
    command.push_back("--help");
    const Outcome outcome = RunLine(&env_, command);
    EXPECT_EQ(outcome.code, 0) << line;
    const size_t example = outcome.out.find("xample");
    ASSERT_NE(example, std::string::npos) << line;
    EXPECT_NE(outcome.out.find("\n  " + line, example), std::string::npos)
        << outcome.out;
  }
}

TEST_F(UtlTest, WrongCommandLinesExitWithOne) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{},
        {"db"},
        {"db", "check"},
        {"db", "check", kDb, "--data-dir", kData},
        {"db", "check", kDb, "--no-such-flag"},
        {"db", "check", "no/such/file"},
        {"db", "page", "x", kDb},
        {"db", "page", "999999", kDb},
        {"db", "get", "color", kDb, "--rev", "99"},
        {"db", "check", kDb, "-w", "yaml"},
        {"wal", "check", "no/such/log"},
        {"wal", "dump", kLog, "--type", "poem"}}) {
    const Outcome outcome = RunLine(&env_, command);
    EXPECT_EQ(outcome.code, 1) << testing::PrintToString(command);
    EXPECT_FALSE(outcome.err.empty()) << testing::PrintToString(command);
  }
}

TEST_F(UtlTest, CompactForgetsAndDefragShrinks) {
  const std::string before = RunLine(&env_, {"db", "keys", kDb}).out;
  ASSERT_EQ(RunLine(&env_, {"db", "compact", "--rev", "5", kDb}).code, 0);
  EXPECT_EQ(RunLine(&env_, {"db", "keys", kDb}).out, before);
  EXPECT_EQ(RunLine(&env_, {"db", "get", "color", kDb, "--rev", "3"}).code, 1);
  EXPECT_EQ(RunLine(&env_, {"db", "compact", "--rev", "5", kDb}).code, 1);
  const size_t size = Content(&env_, kDb).size();
  const std::string hash = RunLine(&env_, {"hashkv", kDb}).out;
  const Outcome defrag = RunLine(&env_, {"defrag", "--data-dir", kData});
  ASSERT_EQ(defrag.code, 0) << defrag.err;
  EXPECT_LT(Content(&env_, kDb).size(), size);
  EXPECT_EQ(RunLine(&env_, {"hashkv", kDb}).out, hash);
  EXPECT_EQ(RunLine(&env_, {"db", "keys", kDb}).out, before);
  EXPECT_EQ(RunLine(&env_, {"db", "check", kDb}).code, 0);
}

TEST_F(UtlTest, ConvertThereAndBack) {
  const std::string dump =
      RunLine(&env_, {"db", "keys", "--data-dir", kData}).out;
  const std::string hash = RunLine(&env_, {"hashkv", kDb}).out;
  Outcome there =
      RunLine(&env_, {"db", "convert", "--to", "leveldb", "--data-dir", kData});
  ASSERT_EQ(there.code, 0) << there.err;
  const Outcome check = RunLine(&env_, {"db", "check", "--data-dir", kData});
  EXPECT_EQ(check.code, 1);
  EXPECT_NE(check.err.find("keeps its store in LevelDB"), std::string::npos);
  const Outcome back =
      RunLine(&env_, {"db", "convert", "--to", "btree", "--data-dir", kData});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(RunLine(&env_, {"db", "keys", "--data-dir", kData}).out, dump);
  EXPECT_EQ(RunLine(&env_, {"hashkv", kDb}).out, hash);
}

TEST_F(UtlTest, CopyLeavesADamagedMetaBehind) {
  env_.FlipBit(kDb, 16 + 50, 3);
  EXPECT_EQ(RunLine(&env_, {"db", "check", kDb}).code, 1);
  EXPECT_EQ(RunLine(&env_, {"defrag", "--data-dir", kData}).code, 1);
  const Outcome copy = RunLine(&env_, {"db", "copy", "--out", "new", kDb});
  ASSERT_EQ(copy.code, 0) << copy.err;
  EXPECT_EQ(RunLine(&env_, {"db", "check", "new"}).code, 0);
  // It is there now.
  EXPECT_EQ(RunLine(&env_, {"db", "copy", "--out", "new", kDb}).code, 1);
}

}  // namespace
}  // namespace strata::utl
