#include "server/log_writer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/fake_env.h"
#include "base/sim_loop.h"

namespace strata {
namespace {

constexpr char kDirectory[] = "/data/wal";
constexpr uint64_t kSegmentBytes = 64 * 1024;

class LogWriterTest : public ::testing::Test {
 protected:
  LogWriterTest() {
    auto wal = Wal::Create(&env_, kDirectory, "metadata",
                           {.segment_bytes = kSegmentBytes}, Logger::Null());
    CHECK_OK(wal);
    writer_ = std::make_unique<LogWriter>(
        *std::move(wal),
        LogWriter::Options{
            .env = &env_,
            .log = log_.get(),
            .node = node_.get(),
            .logger = Logger::Null(),
            .counters = &counters_,
            .persisted =
                [this](raft::OutputSequence sequence) {
                  persisted_ = sequence;
                },
            .failed = [this](const Status& why) { failed_ = why; }});
  }
  ~LogWriterTest() override {
    node_->Halt();
    log_->Halt();
  }

  // One entry of `bytes`, or none; and a term if there is a new one.
  void Write(uint64_t bytes, std::optional<Term> term) {
    raft::Output output;
    output.sequence = ++sequence_;
    output.must_sync = true;
    if (bytes > 0) {
      output.entries.push_back(
          {.term = Term(1), .index = ++last_, .data = std::string(bytes, 'x')});
    }
    if (term) output.hard_state = {.term = *term, .vote = {}, .commit = {}};
    writer_->Write(LogBatch(output));
  }

  // A commit index, and nothing else.
  void Commit(LogIndex index) {
    raft::Output output;
    output.sequence = ++sequence_;
    output.hard_state = {.term = Term(1), .vote = {}, .commit = index};
    writer_->Write(LogBatch(output));
  }

  // What a start would find.
  WalContent Reopen(const WalSnapshot& from) {
    writer_.reset();
    WalContent content;
    const auto wal =
        Wal::Open(&env_, kDirectory, from, LogIndex(),
                  {.segment_bytes = kSegmentBytes}, Logger::Null(), &content);
    EXPECT_TRUE(wal.ok()) << wal.status();
    return content;
  }

  FakeEnv env_;
  SimWorld world_;
  std::unique_ptr<SimLoop> node_ = world_.NewLoop("node");
  std::unique_ptr<SimLoop> log_ = world_.NewLoop("log");
  NodeCounters counters_;
  std::unique_ptr<LogWriter> writer_;
  raft::OutputSequence sequence_;
  raft::OutputSequence persisted_;
  LogIndex last_;
  Status failed_;
};

// All that gathered meanwhile is written in its order, each with its own term.
TEST_F(LogWriterTest, AFullDiskIsTriedAgainUntilThereIsRoom) {
  Write(1000, Term(1));
  world_.RunFor(std::chrono::milliseconds(1));
  EXPECT_EQ(persisted_, sequence_);
  const raft::OutputSequence before = sequence_;
  env_.SetCapacity(env_.UsedBytes());
  Write(kSegmentBytes, std::nullopt);
  Write(0, Term(2));
  Write(10, Term(3));
  world_.RunFor(std::chrono::seconds(2));
  EXPECT_EQ(persisted_, before);
  EXPECT_GE(writer_->Waiting(), std::chrono::seconds(2));
  env_.SetCapacity(UINT64_MAX);
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(persisted_, sequence_);
  EXPECT_EQ(writer_->Waiting(), Duration::zero());
  EXPECT_TRUE(failed_.ok()) << failed_;

  writer_.reset();
  WalContent content;
  const auto wal =
      Wal::Open(&env_, kDirectory, WalSnapshot{}, last_,
                {.segment_bytes = kSegmentBytes}, Logger::Null(), &content);
  ASSERT_TRUE(wal.ok()) << wal.status();
  EXPECT_EQ(content.entries.size(), last_.value());
  EXPECT_EQ(content.hard_state.term, Term(3));
}

TEST_F(LogWriterTest, ACommitAloneGoesWithTheNextWrite) {
  Write(10, Term(1));
  world_.RunFor(std::chrono::milliseconds(1));
  const raft::OutputSequence before = sequence_;
  Commit(LogIndex(0));
  Commit(LogIndex(1));
  world_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(persisted_, before) << "nobody was to be woken";
  EXPECT_EQ(writer_->Waiting(), Duration::zero());
  Write(10, std::nullopt);
  world_.RunFor(std::chrono::milliseconds(1));
  EXPECT_EQ(persisted_, sequence_);
  EXPECT_EQ(Reopen({}).hard_state.commit, LogIndex(1));
}

// etcd starts from no snapshot that is not known to be committed.
TEST_F(LogWriterTest, ACommitGoesBeforeASnapshot) {
  Write(10, Term(1));
  Commit(LogIndex(1));
  Status taken = InternalError("not called");
  writer_->SnapshotTaken({.index = LogIndex(1), .term = Term(1)}, LogIndex(1),
                         5, [&](const Status& status) { taken = status; });
  world_.RunFor(std::chrono::milliseconds(1));
  EXPECT_TRUE(taken.ok()) << taken;
  EXPECT_EQ(Reopen({.index = LogIndex(1), .term = Term(1)}).hard_state.commit,
            LogIndex(1));
}

}  // namespace
}  // namespace strata
