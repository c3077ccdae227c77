#include "wal/zero_fill.h"

#include <gtest/gtest.h>

#include "base/fake_env.h"
#include "base/sim_loop.h"

namespace strata::wal {
namespace {

using std::chrono::milliseconds;

constexpr char kPath[] = "/segment";
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kSegmentBytes = 64 * kMiB;

class ZeroFillTest : public ::testing::Test {
 protected:
  ZeroFillTest() {
    auto file = env_.Open(kPath, OpenMode::kCreateNew);
    CHECK_OK(file);
    file_ = *std::move(file);
    auto own = env_.Open(kPath, OpenMode::kReadWrite);
    CHECK_OK(own);
    fill_ = std::make_shared<ZeroFill>(*std::move(own), 0, kSegmentBytes,
                                       loop_.get(), 32 * kMiB);
    fill_->Start();
  }
  ~ZeroFillTest() override {
    fill_->Stop();
    loop_->Halt();
  }

  // What is written in so many milliseconds.
  uint64_t Written(int64_t ms) {
    const uint64_t before = *file_->Size();
    world_.RunFor(milliseconds(ms));
    return *file_->Size() - before;
  }

  FakeEnv env_;
  SimWorld world_;
  std::unique_ptr<SimLoop> loop_ = world_.NewLoop("background");
  std::unique_ptr<File> file_;
  std::shared_ptr<ZeroFill> fill_;
};

TEST_F(ZeroFillTest, WhatIsNotNeededSoonHasTime) {
  EXPECT_GE(Written(250), 8 * kMiB);
  const uint64_t slow = Written(1000);
  EXPECT_GE(slow, 3 * kMiB);
  EXPECT_LE(slow, 5 * kMiB);
  // The log has come near; a pause may have begun before.
  fill_->Claim(*file_->Size() - kMiB);
  EXPECT_GE(Written(65 + 125), 4 * kMiB);
}

TEST_F(ZeroFillTest, AllOfItInTheEnd) {
  world_.RunFor(std::chrono::seconds(20));
  EXPECT_EQ(*file_->Size(), kSegmentBytes);
}

}  // namespace
}  // namespace strata::wal
