#include <gtest/gtest.h>

#include "base/fake_env.h"
#include "base/random.h"
#include "cmd/utl/utl_testing.h"

// Whatever is in the files, the commands that read end with 0 or 1, say why,
// and change nothing.
namespace strata::utl {
namespace {

class DamageTest : public testing::Test {
 protected:
  void SetUp() override {
    MakeDb(&env_);
    MakeLog(&env_);
  }

  FakeEnv env_;
};

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

TEST_F(DamageTest, SoundFilesAreSound) {
  for (const auto& command : ReadingCommands()) {
    const Outcome outcome = RunLine(&env_, command);
    EXPECT_EQ(outcome.code, 0) << command[0] << " " << command[1] << "\n"
                               << outcome.err;
    EXPECT_EQ(outcome.err, "");
  }
}

TEST_F(DamageTest, AnyFlippedBitLeavesThemReadingAndTheFilesAlone) {
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

TEST_F(DamageTest, AnyLengthLeavesThemReading) {
  const std::string db = Content(&env_, kDb);
  for (const size_t size : {0, 1, 79, 80, 1024, 4095, 4096, 4176, 8191, 8192,
                            12288, 16385, 20480}) {
    Overwrite(&env_, kDb, db.substr(0, size));
    RunAll(&env_, "cut at " + std::to_string(size) + ": ");
    EXPECT_EQ(RunLine(&env_, {"db", "check", kDb}).code, 1) << size;
  }
}

// A page with a wrong checksum is told, and shown as far as it has its form.
TEST_F(DamageTest, WhatIsOnADamagedPageIsShown) {
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

TEST_F(DamageTest, FilesInUseAreRefused) {
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

}  // namespace
}  // namespace strata::utl
