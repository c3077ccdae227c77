#include "wal/wal.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/env.h"
#include "wal/reader.h"

namespace strata {
namespace {

using raft::Entry;
using raft::HardState;

Entry MakeEntry(uint64_t index, std::string data, uint64_t term = 1) {
  return Entry{.term = Term(term),
               .index = LogIndex(index),
               .type = raft::EntryType::kNormal,
               .data = std::move(data)};
}

HardState State(uint64_t term, uint64_t commit) {
  return HardState{.term = Term(term),
                   .vote = MemberId(0xc137cfae40bcdb4c),
                   .commit = LogIndex(commit)};
}

class WalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "/wal_test_" +
            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_TRUE(env_->RemoveAll(root_).ok());
    ASSERT_TRUE(env_->MakeDirs(root_).ok());
    directory_ = JoinPath(root_, "wal");
    options_.segment_bytes = 4096;
  }

  std::unique_ptr<Wal> Create() {
    auto wal = Wal::Create(env_, directory_, "meta", options_, Logger::Null());
    EXPECT_TRUE(wal.ok()) << wal.ToString();
    return *std::move(wal);
  }
  StatusOr<std::unique_ptr<Wal>> TryOpen(uint64_t durable = 0,
                                         const WalSnapshot& start = {}) {
    return Wal::Open(env_, directory_, start, LogIndex(durable), options_,
                     Logger::Null(), &content_);
  }
  std::unique_ptr<Wal> Open(uint64_t durable = 0,
                            const WalSnapshot& start = {}) {
    auto wal = TryOpen(durable, start);
    EXPECT_TRUE(wal.ok()) << wal.ToString();
    return *std::move(wal);
  }
  // Appends and syncs entries [from, to], each in its own batch.
  void Fill(Wal* wal, uint64_t from, uint64_t to) {
    for (uint64_t i = from; i <= to; ++i) {
      const Entry entry = MakeEntry(i, std::string(i * 97 % 700, 'x'));
      wal->Append(std::span(&entry, 1), State(1, i));
      ASSERT_TRUE(wal->Sync().ok());
    }
  }
  std::vector<std::string> Files() { return *env_->List(directory_); }

  Env* const env_ = Env::Posix();
  std::string root_;
  std::string directory_;
  WalOptions options_;
  WalContent content_;
};

TEST_F(WalTest, WhatIsSyncedComesBack) {
  auto wal = Create();
  const std::vector<Entry> entries = {MakeEntry(1, "a"), MakeEntry(2, ""),
                                      MakeEntry(3, std::string(3000, 'c'))};
  wal->Append(entries, State(1, 2));
  ASSERT_TRUE(wal->Sync().ok());
  const Entry lost = MakeEntry(4, "never synced");
  wal->Append(std::span(&lost, 1), State(1, 3));
  wal.reset();
  wal = Open();
  EXPECT_EQ(content_.metadata, "meta");
  EXPECT_EQ(content_.entries, entries);
  EXPECT_EQ(content_.hard_state, State(1, 2));
  EXPECT_EQ(content_.snapshots, std::vector<WalSnapshot>{WalSnapshot{}});
  EXPECT_FALSE(content_.cut_tail.has_value());
}

TEST_F(WalTest, RotatesAndGoesOn) {
  auto wal = Create();
  Fill(wal.get(), 1, 100);
  EXPECT_GT(wal->GetStats().segments, 3U);
  for (int round = 0; round < 3; ++round) {
    wal.reset();
    wal = Open();
    const uint64_t have = content_.entries.size();
    EXPECT_EQ(have, 100U + 20 * round);
    for (uint64_t i = 0; i < have; ++i) {
      EXPECT_EQ(content_.entries[i].index, LogIndex(i + 1));
    }
    Fill(wal.get(), have + 1, have + 20);
  }
}

TEST_F(WalTest, ALaterEntryReplacesTheRest) {
  auto wal = Create();
  Fill(wal.get(), 1, 10);
  std::vector<Entry> more = {MakeEntry(11, "old"), MakeEntry(12, "old"),
                             MakeEntry(13, "old")};
  wal->Append(more, State(1, 10));
  ASSERT_TRUE(wal->Sync().ok());
  const Entry other = MakeEntry(12, "new", 2);
  wal->Append(std::span(&other, 1), State(2, 10));
  ASSERT_TRUE(wal->Sync().ok());
  wal.reset();
  wal = Open();
  ASSERT_EQ(content_.entries.size(), 12U);
  EXPECT_EQ(content_.entries[10], more[0]);
  EXPECT_EQ(content_.entries[11], other);
}

TEST_F(WalTest, ASecondOwnerIsRefused) {
  auto wal = Create();
  EXPECT_EQ(TryOpen().status().code(), Code::kUnavailable);
}

TEST_F(WalTest, StartsAtASnapshotAndReleases) {
  auto wal = Create();
  Fill(wal.get(), 1, 60);
  const WalSnapshot snapshot{.index = LogIndex(50), .term = Term(1)};
  wal->AppendSnapshot(snapshot);
  ASSERT_TRUE(wal->Sync().ok());
  EXPECT_EQ(*Wal::ReadSnapshots(env_, directory_),
            (std::vector<WalSnapshot>{WalSnapshot{}, snapshot}));
  const uint64_t before = wal->GetStats().segments;
  wal.reset();
  wal = Open(60, snapshot);
  ASSERT_EQ(content_.entries.size(), 10U);
  EXPECT_EQ(content_.entries[0].index, LogIndex(51));
  EXPECT_EQ(wal->GetStats().segments, before);
  ASSERT_TRUE(wal->ReleaseTo(LogIndex(50), 1).ok());
  EXPECT_LT(wal->GetStats().segments, before);
  EXPECT_EQ(Files().size(), wal->GetStats().segments);
  Fill(wal.get(), 61, 65);
  wal.reset();
  wal = Open(60, snapshot);
  EXPECT_EQ(content_.entries.size(), 15U);
  wal.reset();
  EXPECT_EQ(TryOpen().status().code(), Code::kNotFound);
  EXPECT_EQ(TryOpen(0, WalSnapshot{.index = LogIndex(55), .term = Term(1)})
                .status()
                .code(),
            Code::kNotFound);
  EXPECT_EQ(TryOpen(0, WalSnapshot{.index = LogIndex(50), .term = Term(2)})
                .status()
                .code(),
            Code::kDataLoss);
}

// A snapshot of another member comes to one whose log is of an earlier term:
// what it had beyond can be no part of the cluster's log, or it would pass for
// newer than it is.
TEST_F(WalTest, ASnapshotThatTheLogIsNoPartOfEndsIt) {
  auto wal = Create();
  Fill(wal.get(), 1, 10);
  const WalSnapshot taken{.index = LogIndex(8), .term = Term(3)};
  wal->AppendSnapshot(taken);
  wal->AppendHardState(State(3, 8));
  ASSERT_TRUE(wal->Sync().ok());
  wal.reset();
  wal = Open(0, taken);
  EXPECT_TRUE(content_.entries.empty());
  const Entry next = MakeEntry(9, "new", 3);
  wal->Append(std::span(&next, 1), State(3, 9));
  ASSERT_TRUE(wal->Sync().ok());
  wal.reset();
  wal = Open(0, taken);
  EXPECT_EQ(content_.entries, std::vector<Entry>{next});
}

TEST_F(WalTest, BatchesLargerThanASegment) {
  auto wal = Create();
  options_.max_batch_bytes = 5000;
  wal.reset();
  wal = Open();
  std::vector<Entry> entries;
  for (uint64_t i = 1; i <= 30; ++i) {
    entries.push_back(MakeEntry(i, std::string(1000, 'a')));
  }
  entries.push_back(MakeEntry(31, std::string(20000, 'b')));
  wal->Append(entries, State(1, 31));
  ASSERT_TRUE(wal->Sync().ok());
  wal.reset();
  wal = Open(31);
  EXPECT_EQ(content_.entries, entries);
}

TEST_F(WalTest, PreparesSegmentsInTheBackground) {
  auto loop = NewThreadedLoop("wal-background");
  options_.background = loop.get();
  options_.segment_bytes = 3 << 20;
  auto wal = Create();
  const std::vector<std::string> files = Files();
  EXPECT_EQ(files.back(), "1.tmp");
  for (uint64_t i = 1; i <= 100; ++i) {
    const Entry entry = MakeEntry(i, std::string(100000, 'x'));
    wal->Append(std::span(&entry, 1), State(1, i));
    ASSERT_TRUE(wal->Sync().ok());
  }
  wal.reset();
  EXPECT_EQ(Files().size(), 4U);
  wal = Open(100);
  EXPECT_EQ(content_.entries.size(), 100U);
}

TEST_F(WalTest, NothingToOpen) {
  EXPECT_FALSE(Wal::Exists(env_, directory_));
  EXPECT_EQ(TryOpen().status().code(), Code::kNotFound);
  Create();
  EXPECT_TRUE(Wal::Exists(env_, directory_));
  EXPECT_EQ(Wal::Create(env_, directory_, "", options_, Logger::Null())
                .status()
                .code(),
            Code::kAlreadyExists);
}

}  // namespace
}  // namespace strata
