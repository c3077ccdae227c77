#include "engine/level.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

TEST(LevelTest, NamesItself) {
  for (const std::string text : {"3.4", "3.5", "3.6"}) {
    const StatusOr<Level> level = Level::Parse(text);
    ASSERT_TRUE(level.ok());
    EXPECT_EQ(level->ToString(), text);
    EXPECT_EQ(level->ClusterVersion(), text + ".0");
  }
  EXPECT_EQ(Level::Parse("3.7").status(),
            InvalidArgumentError("no etcd level 3.7: it is 3.4, 3.5 or 3.6"));
  EXPECT_LT(Level::V3_4(), Level::V3_5());
  EXPECT_LT(Level::V3_5(), Level::V3_6());
}

TEST(LevelTest, OfAClusterVersion) {
  EXPECT_EQ(*Level::OfClusterVersion("3.4.0"), Level::V3_4());
  EXPECT_EQ(*Level::OfClusterVersion("3.5.0"), Level::V3_5());
  EXPECT_EQ(*Level::OfClusterVersion("3.6.1"), Level::V3_6());
  EXPECT_EQ(*Level::OfClusterVersion("3.0.0"), Level::V3_4());
  EXPECT_EQ(*Level::OfClusterVersion("2.3.8"), Level::V3_4());
  for (const std::string later : {"3.7.0", "4.0.0"}) {
    EXPECT_EQ(Level::OfClusterVersion(later).status().code(),
              Code::kFailedPrecondition);
  }
  for (const std::string bad : {"", "3", "x.4.0", "3.x"}) {
    EXPECT_EQ(Level::OfClusterVersion(bad).status().code(),
              Code::kInvalidArgument)
        << bad;
  }
}

// The table of docs/levels.md.
TEST(LevelTest, Rules) {
  const Level levels[] = {Level::V3_4(), Level::V3_5(), Level::V3_6()};
  for (const Level level : levels) {
    const bool from_5 = level >= Level::V3_5();
    const bool from_6 = level >= Level::V3_6();
    EXPECT_EQ(level.StoresTerm(), from_5);
    EXPECT_EQ(level.StoresConfState(), from_5);
    EXPECT_EQ(level.StoresStorageVersion(), from_6);
    EXPECT_EQ(level.StoresLeaseCheckpoints(), from_6);
    EXPECT_EQ(level.AnswersAlarmHeader(), from_6);
    EXPECT_EQ(level.ExplainsHealth(), from_5);
    EXPECT_EQ(level.GatewayAnswersPreconditionFailed(), !from_5);
    EXPECT_EQ(level.GatewayServesHashKv(), from_5);
    EXPECT_EQ(level.GatewayAnswersDetails(), from_6);
    EXPECT_EQ(level.KeepsTombstoneAtCompaction(), from_5);
    EXPECT_EQ(level.HashesCompactRevision(), from_5);
    EXPECT_EQ(level.ProposesV2Requests(), !from_6);
  }
}

}  // namespace
}  // namespace strata
