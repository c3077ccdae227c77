// A disk that is full or fails while the log is written.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/fake_env.h"
#include "base/sim_loop.h"
#include "wal/wal.h"
#include "wal/wal_suite.h"

namespace strata::wal {
namespace {

constexpr char kDirectory[] = "/data/member/wal";
constexpr uint64_t kSegmentBytes = 64 * 1024;

class FaultTest : public ::testing::Test {
 protected:
  ~FaultTest() override {
    wal_.reset();
    if (loop_ != nullptr) loop_->Halt();
  }
  void Create(bool background = false) {
    if (background) loop_ = world_.NewLoop("background");
    options_.background = loop_.get();
    auto wal =
        Wal::Create(&env_, kDirectory, "metadata", options_, Logger::Null());
    ASSERT_TRUE(wal.ok()) << wal.ToString();
    wal_ = *std::move(wal);
  }
  // One entry of `bytes` in a batch of its own.
  Status Append(uint64_t bytes) {
    const uint64_t index = ledger_.synced.last_index().value() + 1;
    ledger_.Append(wal_.get(), MakeEntry(index, std::string(bytes, 'x')));
    ledger_.Append(wal_.get(), MakeState(1, index));
    Status status = ledger_.Sync(wal_.get());
    if (!status.ok()) ledger_.pending.clear();  // the log dropped them too
    return status;
  }
  // Closes the log, opens it again and compares.
  void Reopen() {
    wal_.reset();
    WalContent content;
    auto wal =
        Wal::Open(&env_, kDirectory, WalSnapshot{}, ledger_.synced.last_index(),
                  options_, Logger::Null(), &content);
    ASSERT_TRUE(wal.ok()) << wal.ToString();
    EXPECT_TRUE(ledger_.synced.Matches(WalSnapshot{}, content));
    wal_ = *std::move(wal);
  }

  FakeEnv env_;
  SimWorld world_;
  std::unique_ptr<SimLoop> loop_;
  WalOptions options_{.segment_bytes = kSegmentBytes};
  Ledger ledger_;
  std::unique_ptr<Wal> wal_;
};

TEST_F(FaultTest, AFullDiskRefusesBatchesUntilThereIsSpace) {
  Create();
  env_.SetCapacity(env_.UsedBytes() + kSegmentBytes);  // for one more segment
  Status status;
  int batches = 0;
  while (batches < 100 && (status = Append(5000)).ok()) ++batches;
  EXPECT_EQ(status.code(), Code::kResourceExhausted) << status;
  EXPECT_EQ(batches, 2 * 13 - 2);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Append(5000).code(), Code::kResourceExhausted);
  }
  // What fits into the segment still goes in.
  EXPECT_TRUE(Append(10).ok());
  Reopen();
  EXPECT_EQ(Append(5000).code(), Code::kResourceExhausted);
  env_.SetCapacity(UINT64_MAX);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Append(5000).ok());
  Reopen();
}

TEST_F(FaultTest, AFullDiskIsMetInTheBackground) {
  Create(true);
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_TRUE(env_.Exists(JoinPath(kDirectory, "1.tmp")));
  env_.SetCapacity(env_.UsedBytes());
  int batches = 0;
  while (batches < 100 && Append(5000).ok()) {
    ++batches;
    world_.RunFor(std::chrono::seconds(1));
  }
  EXPECT_EQ(batches, 24);  // the segment that was ready is used too
  env_.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(Append(5000).ok());
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_TRUE(env_.Exists(JoinPath(kDirectory, "1.tmp")));
  Reopen();
}

TEST_F(FaultTest, ABatchLargerThanTheSegmentIsRefusedAsAWhole) {
  Create();
  env_.SetCapacity(env_.UsedBytes() + kSegmentBytes);
  EXPECT_TRUE(Append(100).ok());
  EXPECT_EQ(Append(3 * kSegmentBytes).code(), Code::kResourceExhausted);
  EXPECT_TRUE(Append(100).ok());
  Reopen();
}

TEST_F(FaultTest, NoSpaceToCreate) {
  env_.SetCapacity(kSegmentBytes / 2);
  EXPECT_EQ(Wal::Create(&env_, kDirectory, "m", options_, Logger::Null())
                .status()
                .code(),
            Code::kResourceExhausted);
  EXPECT_FALSE(Wal::Exists(&env_, kDirectory));
  env_.SetCapacity(UINT64_MAX);
  Create();
  EXPECT_TRUE(Append(10).ok());
}

// Each operation that a batch needs, failing; also one that rotates.
TEST_F(FaultTest, AnyOtherFailureIsTheEnd) {
  for (const DiskOperation operation :
       {DiskOperation::kWrite, DiskOperation::kSync, DiskOperation::kSyncDir,
        DiskOperation::kRename, DiskOperation::kCreate}) {
    env_.ClearFaults();
    ASSERT_TRUE(env_.RemoveAll(kDirectory).ok());
    ledger_ = Ledger{};
    Create();
    ASSERT_TRUE(Append(100).ok());
    env_.Inject({.operation = operation, .path_part = "/wal"});
    Status status;
    for (int i = 0; i < 100 && status.ok(); ++i) status = Append(5000);
    EXPECT_EQ(status.code(), Code::kDataLoss) << status;
    EXPECT_EQ(Append(1), status);
    wal_->AppendSnapshot({.index = LogIndex(1), .term = Term(1)});
    EXPECT_EQ(wal_->Sync(), status);
    EXPECT_EQ(wal_->ReleaseTo(LogIndex(1), 1), status);
    wal_.reset();
  }
}

// A sync of the zeros writes what the log has written, too, and if that fails
// only the one who asked is told, and every other open file once.
TEST_F(FaultTest, ASyncThatFailsInTheBackgroundIsTheEnd) {
  for (const bool first_segment : {true, false}) {
    env_.ClearFaults();
    ASSERT_TRUE(env_.RemoveAll(kDirectory).ok());
    options_.prewrite_bytes_per_second = 1 << 20;
    options_.segment_bytes = 1 << 20;
    ledger_ = Ledger{};
    Create(true);
    ASSERT_TRUE(Append(100).ok());
    while (!first_segment && wal_->GetStats().segments < 2) {
      ASSERT_TRUE(Append(5000).ok());
    }
    ledger_.Append(wal_.get(),
                   MakeEntry(ledger_.synced.last_index().value() + 1,
                             "written, not synced"));
    ASSERT_TRUE(wal_->Write().ok());
    env_.Inject({.operation = DiskOperation::kSync,
                 .path_part = first_segment ? "wal.tmp" : "/1.tmp"});
    world_.RunFor(std::chrono::seconds(3));
    const Status status = wal_->Sync();
    EXPECT_EQ(status.code(), Code::kDataLoss) << status;
    EXPECT_EQ(Append(1), status);
    wal_.reset();
    loop_->Halt();
  }
}

// Of a segment that is not yet used: another is made.
TEST_F(FaultTest, ASegmentThatCannotBeFilledIsNotUsed) {
  Create(true);
  env_.Inject({.operation = DiskOperation::kWrite,
               .path_part = "1.tmp",
               .status = ErrnoError("injected", 28)});
  world_.RunFor(std::chrono::seconds(1));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(5000).ok());
  EXPECT_GT(wal_->GetStats().segments, 2U);
  Reopen();
}

TEST_F(FaultTest, NoSpaceAfterRoomWasMadeIsTheEnd) {
  Create();
  env_.Inject({.operation = DiskOperation::kWrite,
               .bytes = 700,
               .status = ErrnoError("injected", 28)});
  const Status status = Append(5000);
  EXPECT_EQ(status.code(), Code::kUnknown) << status;
  EXPECT_EQ(Append(1), status);
  Reopen();  // the part that was written is torn
}

// Nobody waits for what could not be given back.
TEST_F(FaultTest, UnusedSpaceThatStays) {
  Create();
  env_.Inject({.operation = DiskOperation::kResize, .count = 100});
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(5000).ok());
  EXPECT_GT(wal_->GetStats().segments, 2U);
  Reopen();
}

TEST_F(FaultTest, AReadThatFailsChangesNothing) {
  Create();
  ASSERT_TRUE(Append(100).ok());
  wal_.reset();
  const uint64_t operations = env_.operations();
  env_.Inject({.operation = DiskOperation::kRead});
  WalContent content;
  const auto wal = Wal::Open(&env_, kDirectory, WalSnapshot{}, LogIndex(1),
                             options_, Logger::Null(), &content);
  EXPECT_EQ(wal.status().code(), Code::kDataLoss);
  EXPECT_EQ(env_.operations(), operations);
  Reopen();
}

TEST_F(FaultTest, WithoutFsyncNothingIsSynced) {
  options_.fsync = false;
  Create();
  int syncs = 0;
  env_.SetObserver([&](const DiskAccess& access) {
    if (access.operation == DiskOperation::kSync ||
        access.operation == DiskOperation::kSyncDir) {
      ++syncs;
    }
  });
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(Append(5000).ok());
  EXPECT_EQ(syncs, 0);
  Reopen();
}

TEST_F(FaultTest, OneWriteAndOneSyncForABatch) {
  Create();
  int writes = 0;
  int syncs = 0;
  env_.SetObserver([&](const DiskAccess& access) {
    writes += access.operation == DiskOperation::kWrite ? 1 : 0;
    syncs += access.operation == DiskOperation::kSync ? 1 : 0;
    EXPECT_NE(access.operation, DiskOperation::kAllocate);
  });
  for (uint64_t i = 1; i <= 100; ++i) {
    ledger_.Append(wal_.get(), MakeEntry(i, std::string(100, 'x')));
  }
  ASSERT_TRUE(ledger_.Sync(wal_.get()).ok());
  EXPECT_EQ(writes, 1);
  EXPECT_EQ(syncs, 1);
  ASSERT_TRUE(wal_->Sync().ok());
  EXPECT_EQ(syncs, 1);  // there was nothing
}

}  // namespace
}  // namespace strata::wal
