#include "cmd/utl/utl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/fake_env.h"
#include "base/random.h"
#include "base/transcript.h"
#include "cmd/utl/explain.h"
#include "cmd/utl/utl_testing.h"

namespace strata::utl {
namespace {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

Outcome RunLine(Env* env, const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  Context context;
  context.env = env;
  context.out = &out;
  context.err = &err;
  const int code = Run(arguments, context);
  return {code, out.str(), err.str()};
}

std::string Content(Env* env, const std::string& path) {
  const auto content = ReadFile(env, path, 1 << 30);
  EXPECT_TRUE(content.ok()) << content.status();
  return content.ok() ? *content : "";
}

void Overwrite(Env* env, const std::string& path, const std::string& content) {
  const auto file = env->Open(path, OpenMode::kReadWrite);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Resize(content.size()).ok());
  ASSERT_TRUE((*file)->WriteAt(0, content).ok());
}

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

// Every byte of every page is explained once, the unused ones too.
TEST_F(UtlTest, EveryByteHasAMeaning) {
  const auto file = btree::Inspection::Open(&env_, kDb);
  ASSERT_TRUE(file.ok()) << file.status();
  const uint64_t page_size = (*file)->page_size();
  for (uint64_t page = 0; page < (*file)->pages(); ++page) {
    PageExplainer explainer({(*file)->data() + page * page_size, page_size},
                            page * page_size, "key");
    uint64_t at = page * page_size;
    for (const ByteRange& range : explainer.Explain(page)) {
      // What leads into the pages that follow is cut off here.
      if (range.field.find("overlaps") != std::string::npos) continue;
      EXPECT_EQ(range.offset, at) << "page " << page << " " << range.field;
      EXPECT_GT(range.bytes, 0);
      at = range.offset + range.bytes;
    }
    EXPECT_EQ(at, (page + 1) * page_size);
  }
}

const std::vector<std::vector<std::string>>& ReadingCommands() {
  static const std::vector<std::vector<std::string>> commands = {
      {"db", "check", kDb},
      {"db", "stats", kDb},
      {"db", "buckets", kDb},
      {"db", "pages", kDb},
      {"db", "page", "0", kDb},
      {"db", "page", "4", kDb, "--hex"},
      {"db", "keys", kDb},
      {"db", "get", "color", kDb},
      {"db", "history", "color", kDb},
      {"db", "dump", kDb, "-w", "json"},
      {"db", "advice", "--data-dir", kData},
      {"wal", "dump", kLog},
      {"wal", "check", "--data-dir", kData},
      {"hashkv", kDb},
      {"snapshot", "status", kDb},
  };
  return commands;
}

// Runs all commands that read; a crash or a changed file is a failure.
void RunAll(FakeEnv* env, const std::string& what) {
  const std::string db = Content(env, kDb);
  const std::string log = Content(env, kSegment);
  for (const auto& command : ReadingCommands()) {
    const Outcome outcome = RunLine(env, command);
    if (outcome.code != 0) {
      EXPECT_FALSE(outcome.err.empty()) << what << command[1];
    }
  }
  EXPECT_EQ(db, Content(env, kDb)) << what;
  EXPECT_EQ(log, Content(env, kSegment)) << what;
}

TEST_F(UtlTest, SoundFilesAreSound) {
  for (const auto& command : ReadingCommands()) {
    const Outcome outcome = RunLine(&env_, command);
    EXPECT_EQ(outcome.code, 0) << command[0] << " " << command[1] << "\n"
                               << outcome.err;
    EXPECT_EQ(outcome.err, "");
  }
}

TEST_F(UtlTest, AnyFlippedBitLeavesThemReadingAndTheFilesAlone) {
  const std::string db = Content(&env_, kDb);
  const std::string log = Content(&env_, kSegment);
  Random random(7);
  for (int round = 0; round < 150; ++round) {
    const uint64_t db_at = random.Below(db.size());
    const uint64_t log_at = random.Below(1200);
    const int bit = static_cast<int>(random.Below(8));
    env_.FlipBit(kDb, db_at, bit);
    env_.FlipBit(kSegment, log_at, bit);
    RunAll(&env_, "flip " + std::to_string(db_at) + " and " +
                      std::to_string(log_at) + ": ");
    env_.FlipBit(kDb, db_at, bit);
    env_.FlipBit(kSegment, log_at, bit);
  }
}

TEST_F(UtlTest, AnyLengthLeavesThemReading) {
  const std::string db = Content(&env_, kDb);
  for (const size_t size : {0, 1, 79, 80, 1024, 4095, 4096, 4176, 8191, 8192,
                            12288, 16385, 20480}) {
    Overwrite(&env_, kDb, db.substr(0, size));
    RunAll(&env_, "cut at " + std::to_string(size) + ": ");
    EXPECT_EQ(RunLine(&env_, {"db", "check", kDb}).code, 1) << size;
  }
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

TEST_F(UtlTest, FilesInUseAreRefused) {
  const auto db = env_.Open(kDb, OpenMode::kReadWrite);
  const auto log = env_.Open(kSegment, OpenMode::kReadWrite);
  ASSERT_TRUE((*db)->Lock().ok());
  ASSERT_TRUE((*log)->Lock().ok());
  for (const auto& command : ReadingCommands()) {
    EXPECT_EQ(RunLine(&env_, command).code, 1) << command[1];
  }
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"db", "compact", "--rev", "5", kDb},
        {"db", "copy", "--out", "new", kDb},
        {"defrag", "--data-dir", kData}}) {
    EXPECT_EQ(RunLine(&env_, command).code, 1) << command[0];
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

// A page with a wrong checksum is told, and shown as far as it has its form.
TEST_F(UtlTest, WhatIsOnADamagedPageIsShown) {
  const std::string db = Content(&env_, kDb);
  const size_t value = db.rfind("green");
  ASSERT_NE(value, std::string::npos);
  env_.FlipBit(kDb, value, 1);  // 'g' becomes 'e'
  const Outcome got = RunLine(&env_, {"db", "get", "color", kDb});
  EXPECT_EQ(got.code, 1);
  EXPECT_EQ(got.out, "color\nereen\n");
  EXPECT_NE(got.err.find("checksum mismatch"), std::string::npos) << got.err;
  EXPECT_NE(got.err.find("offset " + std::to_string(value / 4096 * 4096)),
            std::string::npos)
      << got.err;
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
