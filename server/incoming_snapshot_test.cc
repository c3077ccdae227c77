#include "server/incoming_snapshot.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/fake_env.h"

namespace strata {
namespace {

constexpr LogIndex kIndex(7);

class IncomingSnapshotTest : public testing::Test {
 protected:
  IncomingSnapshotTest() { CHECK_OK(env_.MakeDirs("snap")); }

  std::unique_ptr<IncomingSnapshot> Begin(uint64_t number) {
    auto begun =
        ReceiveDatabase(&env_, "snap", kIndex, number, [this] { ++finished_; });
    CHECK_OK(begun);
    return *std::move(begun);
  }
  std::string Content() {
    const auto content =
        ReadFile(&env_, IncomingDatabasePath("snap", kIndex), 100);
    return content.ok() ? *content : content.status().ToString();
  }
  std::vector<std::string> Files() { return env_.List("snap").value(); }

  FakeEnv env_;
  int finished_ = 0;
};

TEST_F(IncomingSnapshotTest, HasItsNameWhenItIsWhole) {
  auto coming = Begin(1);
  ASSERT_TRUE(coming->Write("ab").ok());
  EXPECT_FALSE(env_.Exists(IncomingDatabasePath("snap", kIndex)));
  ASSERT_TRUE(coming->Write("cd").ok());
  EXPECT_EQ(finished_, 0);
  ASSERT_TRUE(coming->Finish().ok());
  EXPECT_EQ(finished_, 1);
  EXPECT_EQ(Content(), "abcd");
  coming.reset();
  EXPECT_EQ(Files().size(), 1U);
}

TEST_F(IncomingSnapshotTest, OneThatIsNotFinishedLeavesNothing) {
  auto coming = Begin(1);
  ASSERT_TRUE(coming->Write("ab").ok());
  coming.reset();
  EXPECT_TRUE(Files().empty());
}

// A leader that has been deposed goes on sending, and the next one begins.
TEST_F(IncomingSnapshotTest, TwoOfOneEntryDoNotMix) {
  auto first = Begin(1);
  ASSERT_TRUE(first->Write("first ").ok());
  auto second = Begin(2);
  ASSERT_TRUE(second->Write("second ").ok());
  ASSERT_TRUE(first->Write("is whole").ok());
  ASSERT_TRUE(first->Finish().ok());
  EXPECT_EQ(Content(), "first is whole");
  ASSERT_TRUE(second->Write("too").ok());
  EXPECT_EQ(Content(), "first is whole") << "it may have been installed";
  ASSERT_TRUE(second->Finish().ok());
  EXPECT_EQ(Content(), "second too");
}

// Its connection broke without anybody noticing, and it was begun anew.
TEST_F(IncomingSnapshotTest, TheEndOfOneLeavesTheOther) {
  auto first = Begin(1);
  auto second = Begin(2);
  ASSERT_TRUE(second->Write("second").ok());
  first.reset();
  ASSERT_TRUE(second->Finish().ok());
  EXPECT_EQ(Content(), "second");
}

TEST_F(IncomingSnapshotTest, TheStartRemovesWhatWasNotInstalled) {
  auto part = Begin(1);
  auto whole = Begin(2);
  ASSERT_TRUE(whole->Finish().ok());
  ASSERT_EQ(Files().size(), 2U);
  ASSERT_TRUE(RemoveIncoming(&env_, "snap", LogIndex()).ok());
  EXPECT_TRUE(Files().empty());
}

}  // namespace
}  // namespace strata
