#include "server/log_writer.h"

#include <algorithm>
#include <future>
#include <utility>

namespace strata {
namespace {

constexpr Duration kFullDiskRetry = std::chrono::milliseconds(500);

}  // namespace

LogBatch::LogBatch(const raft::Output& output)
    : sequence(output.sequence),
      must_sync(output.must_sync),
      hard_state(output.hard_state) {
  if (output.snapshot.has_value()) {
    const raft::SnapshotMetadata& metadata = output.snapshot->metadata;
    snapshot = RaftSnapshot{.index = metadata.index,
                            .term = metadata.term,
                            .conf_state = metadata.conf_state,
                            .data = output.snapshot->data};
  }
  records.reserve(output.entries.size());
  for (const raft::Entry& entry : output.entries) {
    raft::AppendEntry(&bytes, entry);
    records.push_back(
        {.index = entry.index, .term = entry.term, .end = bytes.size()});
  }
}

LogWriter::LogWriter(std::unique_ptr<Wal> wal, Options options)
    : options_(std::move(options)),
      wal_(std::move(wal)),
      written_index_(options_.last_index),
      written_state_(options_.hard_state),
      last_index_(options_.last_index),
      state_(options_.hard_state) {}

void LogWriter::Write(LogBatch batch) {
  {
    const std::lock_guard lock(mutex_);
    if (!batch.must_sync) return Gather(std::move(batch));
    if (!waiting_since_) waiting_since_ = options_.node->Now();
    queue_.push_back(std::move(batch));
    if (std::exchange(posted_, true)) return;
  }
  options_.log->Post([this] { Run(); });
}

// One takes the place of another: what waits for a write is bounded by it.
void LogWriter::Gather(LogBatch batch) {
  if (!queue_.empty() && !queue_.back().must_sync) queue_.pop_back();
  queue_.push_back(std::move(batch));
}

Duration LogWriter::Waiting() const {
  const std::lock_guard lock(mutex_);
  if (!waiting_since_) return Duration::zero();
  return options_.node->Now() - *waiting_since_;
}

void LogWriter::Run() {
  {
    const std::lock_guard lock(mutex_);
    posted_ = false;
    std::move(queue_.begin(), queue_.end(), std::back_inserter(writing_));
    queue_.clear();
  }
  if (writing_.empty() || retrying_ || !failed_.ok()) return;
  const raft::OutputSequence last = writing_.back().sequence;
  if (options_.bugs.persisted_early) options_.persisted(last);
  if (const Status status = WriteAll(); !status.ok()) return TryAgain(status);
  writing_.clear();
  {
    const std::lock_guard lock(mutex_);
    waiting_since_.reset();
    for (const LogBatch& batch : queue_) {
      if (batch.must_sync) waiting_since_ = options_.node->Now();
    }
  }
  options_.persisted(last);
}

// What need not be synced is only gathered: the next write takes it along.
Status LogWriter::WriteAll() {
  const Time began = options_.log->Now();
  bool sync = false;
  for (const LogBatch& batch : writing_) {
    if (batch.snapshot) RETURN_IF_ERROR(SaveSnapshot(*batch.snapshot));
  }
  // A write that failed has dropped what was appended.
  last_index_ = written_index_;
  state_ = written_state_;
  for (const LogBatch& batch : writing_) {
    Append(batch);
    sync = sync || batch.must_sync;
  }
  if (sync) {
    RETURN_IF_ERROR(wal_->Sync());
    options_.counters->log_sync.AddSeconds(options_.log->Now() - began);
    options_.counters->log_bytes.store(wal_->GetStats().bytes_written,
                                       std::memory_order_relaxed);
  }
  written_index_ = last_index_;
  written_state_ = state_;
  return Status::Ok();
}

Status LogWriter::SaveSnapshot(const RaftSnapshot& snapshot) {
  return WriteSnapFile(options_.env, options_.snap_directory, snapshot);
}

// The commit index goes before the entries, as far as it is about what was
// there before: no entry may be durable without what was committed before it.
void LogWriter::Append(const LogBatch& batch) {
  if (batch.snapshot) {
    WalSnapshot record{.index = batch.snapshot->index,
                       .term = batch.snapshot->term};
    if (options_.conf_state_in_log) {
      record.conf_state = batch.snapshot->conf_state;
    }
    wal_->AppendSnapshot(record);
    last_index_ = std::max(last_index_, record.index);
  }
  if (batch.hard_state) state_ = *batch.hard_state;
  // What these entries replace was not what is committed.
  AppendState(batch.records.empty()
                  ? last_index_
                  : std::min(last_index_, batch.records.front().index - 1));
  size_t begin = 0;
  for (const LogBatch::Record& record : batch.records) {
    wal_->AppendEncoded(
        record.index, record.term,
        std::string_view(batch.bytes).substr(begin, record.end - begin));
    begin = record.end;
    last_index_ = record.index;
  }
  AppendState(last_index_);
}

// As much of it as is true of a log up to `end`.
void LogWriter::AppendState(LogIndex end) {
  if (options_.bugs.skip_hard_state) return;
  raft::HardState state = state_;
  state.commit = std::min(state.commit, end);
  wal_->AppendHardState(state);
}

// The log dropped what did not fit, as a whole.
void LogWriter::TryAgain(const Status& status) {
  if (status.code() != Code::kResourceExhausted) return Fail(status);
  options_.logger->Warn("the log's disk is full; will try again",
                        {{"error", status}});
  retrying_ = true;
  options_.log->After(kFullDiskRetry, [this] {
    retrying_ = false;
    Run();
  });
}

void LogWriter::Fail(const Status& status) {
  failed_ = status;
  options_.node->Post([this, status] { options_.failed(status); });
}

void LogWriter::SnapshotTaken(const WalSnapshot& snapshot, LogIndex release,
                              uint64_t keep, std::function<void(Status)> done) {
  options_.log->Post([this, snapshot, release, keep, done = std::move(done)] {
    Run();  // a commit index may wait
    Status status = failed_;
    if (status.ok() && !writing_.empty()) {
      status = ResourceExhaustedError("the log's disk is full");
    }
    if (status.ok()) {
      wal_->AppendSnapshot(snapshot);
      status = wal_->Sync();
      if (status.ok()) {
        status = wal_->ReleaseTo(release, keep);
      } else if (status.code() != Code::kResourceExhausted) {
        Fail(status);
      }
    }
    options_.node->Post([done, status] { done(status); });
  });
}

Status LogWriter::Stop() {
  std::promise<Status> stopped;
  options_.log->Post([&] {
    Run();
    if (failed_.ok()) failed_ = wal_->Sync();
    Status status = failed_;
    // Nothing is written from here on.
    if (failed_.ok()) failed_ = UnavailableError("the log is closed");
    stopped.set_value(std::move(status));
  });
  return stopped.get_future().get();
}

}  // namespace strata
