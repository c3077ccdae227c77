#include "server/local_replicator.h"

#include <future>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/wire.h"
#include "rpc/proto/raft_internal.pb.h"
#include "server/errors.h"

namespace strata {
namespace {

// The fields of raftpb.Entry; its data is written in place, without a copy of
// the request, so the encoding is spelled out here (raft/types.h has the
// general form).
constexpr uint32_t kEntryType = 1;
constexpr uint32_t kEntryTerm = 2;
constexpr uint32_t kEntryIndex = 3;
constexpr uint32_t kEntryData = 4;

}  // namespace

LocalReplicator::LocalReplicator(MemberId self, LogPosition position,
                                 std::unique_ptr<Wal> wal, uint64_t max_wals,
                                 const Durability& durability,
                                 StateMachine* state_machine, Loop* loop,
                                 Logger* logger, NodeCounters* counters)
    : self_(self),
      term_(position.term),
      state_machine_(state_machine),
      loop_(loop),
      logger_(logger),
      counters_(counters),
      max_wals_(max_wals),
      durability_(durability),
      wal_(std::move(wal)),
      last_index_(position.last_index),
      committed_(position.last_index.value()) {}

Status LocalReplicator::Admit(const Proposal& proposal) const {
  if (stopped_) return errors::Stopped();
  if (queue_.size() >= limits::kMaxPendingProposals ||
      queued_bytes_ + proposal.bytes > limits::kMaxPendingProposalBytes) {
    return errors::TooManyRequests();
  }
  return Status::Ok();
}

void LocalReplicator::Propose(std::unique_ptr<Proposal> proposal) {
  std::unique_lock lock(mutex_);
  if (Replicator* const next = successor()) {
    lock.unlock();
    return next->Propose(std::move(proposal));
  }
  if (Status admitted = Admit(*proposal); !admitted.ok()) {
    lock.unlock();
    return proposal->reply(std::move(admitted));
  }
  queued_bytes_ += proposal->bytes;
  pending_.store(pending_.load(std::memory_order_relaxed) + 1,
                 std::memory_order_relaxed);
  queue_.push_back(std::move(proposal));
  const bool wake = !std::exchange(scheduled_, true);
  lock.unlock();
  if (wake) loop_->Post([this] { Drain(); });
}

void LocalReplicator::Drain() {
  Queue queue;
  {
    const std::lock_guard lock(mutex_);
    queue.swap(queue_);
    queued_bytes_ = 0;
  }
  for (size_t begin = 0; begin < queue.size();) {
    size_t end = begin;
    uint64_t bytes = 0;
    while (end < queue.size() && end - begin < limits::kMaxLogBatchEntries &&
           (end == begin ||
            bytes + queue[end]->bytes <= limits::kMaxLogBatchBytes)) {
      bytes += queue[end++]->bytes;
    }
    Commit(Batch(queue).subspan(begin, end - begin));
    begin = end;
  }
  const std::lock_guard lock(mutex_);
  pending_.store(pending_.load(std::memory_order_relaxed) - queue.size(),
                 std::memory_order_relaxed);
  if (queue_.empty()) {
    scheduled_ = false;
    idle_.notify_all();
  } else {
    // Not a loop here: what else is posted gets its turn between batches.
    loop_->Post([this] { Drain(); });
  }
}

void LocalReplicator::Commit(Batch batch) {
  const Time began = loop_->Now();
  if (Status written = WriteLog(batch); !written.ok()) {
    counters_->proposals_failed.fetch_add(batch.size(),
                                          std::memory_order_relaxed);
    Refuse(batch, written);
    return;
  }
  const Time logged = loop_->Now();
  counters_->log_sync.AddSeconds(logged - began);
  counters_->log_bytes.store(wal_->GetStats().bytes_written,
                             std::memory_order_relaxed);
  committed_entries_.clear();
  for (const auto& proposal : batch) {
    ++last_index_;
    proposal->batch_began = began;
    proposal->logged = logged;
    committed_entries_.push_back(CommittedEntry{
        .index = last_index_, .term = term_, .proposal = proposal.get()});
  }
  committed_.store(last_index_.value(), std::memory_order_release);
  state_machine_->Apply(committed_entries_);
}

Status LocalReplicator::WriteLog(Batch batch) {
  RETURN_IF_ERROR(failed_);
  LogIndex index = last_index_;
  for (const auto& proposal : batch) AppendToLog(*proposal, ++index);
  // What the batches before have decided; this one's end is decided by being
  // durable, and a restart finds it.
  wal_->AppendHardState({.term = term_, .vote = self_, .commit = last_index_});
  Status synced = WriteOrSync();
  if (synced.ok()) return synced;
  if (synced.code() == Code::kResourceExhausted) {
    logger_->Warn("refused writes: the log's disk is full",
                  {{"error", synced}, {"requests", batch.size()}});
    return ResourceExhaustedError("etcdserver: no space left for the log: " +
                                  synced.message());
  }
  failed_ = synced;
  state_machine_->Fail(synced);
  return synced;
}

Status LocalReplicator::WriteOrSync() {
  if (durability_.mode == DurabilityMode::kEachWrite) return wal_->Sync();
  if (durability_.mode == DurabilityMode::kInterval && !sync_timer_) {
    sync_timer_ = loop_->After(durability_.interval, [this] {
      sync_timer_.reset();
      SyncNow().IgnoreError();  // it has told the state machine
    });
  }
  return wal_->Write();
}

Status LocalReplicator::SyncNow() {
  if (wal_ == nullptr) return Status::Ok();  // handed over, synced
  RETURN_IF_ERROR(failed_);
  failed_ = wal_->Sync();
  if (!failed_.ok()) state_machine_->Fail(failed_);
  return failed_;
}

Status LocalReplicator::SyncLog() {
  if (Replicator* const next = successor()) return next->SyncLog();
  if (durability_.mode == DurabilityMode::kEachWrite) return Status::Ok();
  const auto done = std::make_shared<std::promise<Status>>();
  loop_->Post([this, done] { done->set_value(SyncNow()); });
  return done->get_future().get();
}

void LocalReplicator::AppendToLog(const Proposal& proposal, LogIndex index) {
  const etcdserverpb::InternalRaftRequest& request = *proposal.request;
  // A v2 request is logged bare, as etcd 3.4 and 3.5 do.
  const google::protobuf::MessageLite& message =
      request.has_v2()
          ? static_cast<const google::protobuf::MessageLite&>(request.v2())
          : request;
  const size_t size = message.GetCachedSize();
  encoded_.clear();
  wire::AppendUint(&encoded_, kEntryType,
                   static_cast<uint64_t>(raft::EntryType::kNormal));
  wire::AppendUint(&encoded_, kEntryTerm, term_.value());
  wire::AppendUint(&encoded_, kEntryIndex, index.value());
  wire::AppendTag(&encoded_, kEntryData, wire::Type::kBytes);
  AppendVarint64(&encoded_, size);
  const size_t begin = encoded_.size();
  encoded_.resize(begin + size);
  auto* const data = reinterpret_cast<uint8_t*>(encoded_.data() + begin);
  CHECK(message.SerializeWithCachedSizesToArray(data) == data + size)
      << "a request changed after it was proposed";
  wal_->AppendEncoded(index, term_, encoded_);
}

void LocalReplicator::Refuse(Batch batch, const Status& status) {
  for (const auto& proposal : batch) proposal->reply(status);
}

void LocalReplicator::ReadIndex(std::function<void(const Status&)> done) {
  if (Replicator* const next = successor()) {
    return next->ReadIndex(std::move(done));
  }
  // An answer is given only after the change is applied, so the store already
  // shows all that anyone was told of.
  done(Status::Ok());
}

void LocalReplicator::SnapshotTaken(const WalSnapshot& snapshot,
                                    LogIndex release,
                                    std::function<void(const Status&)> done) {
  if (Replicator* const next = successor()) {
    return next->SnapshotTaken(snapshot, release, std::move(done));
  }
  done(RecordSnapshot(snapshot, release));
}

Status LocalReplicator::RecordSnapshot(const WalSnapshot& snapshot,
                                       LogIndex release) {
  RETURN_IF_ERROR(failed_);
  // A snapshot counts only once the log says that its index was decided.
  wal_->AppendHardState({.term = term_, .vote = self_, .commit = last_index_});
  wal_->AppendSnapshot(snapshot);
  Status synced = wal_->Sync();
  if (!synced.ok()) {
    if (synced.code() != Code::kResourceExhausted) {
      failed_ = synced;
      state_machine_->Fail(synced);
    }
    return synced;
  }
  return wal_->ReleaseTo(release, max_wals_);
}

ReplicatorStatus LocalReplicator::GetStatus() const {
  if (const Replicator* const next = successor()) return next->GetStatus();
  const LogIndex committed(committed_.load(std::memory_order_acquire));
  return {.term = term_,
          .leader = self_,
          .last_index = committed,
          .committed = committed,
          .pending = pending_.load(std::memory_order_relaxed)};
}

Status LocalReplicator::HandOver(const Successor& make) {
  RETURN_IF_ERROR(SyncNow());
  Queue queue;
  Replicator* next;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return errors::Stopped();
    // Nobody takes a proposal on while the log changes hands.
    next = make(std::move(wal_), {.term = term_, .last_index = last_index_});
    queue.swap(queue_);
    queued_bytes_ = 0;
    pending_.store(0, std::memory_order_relaxed);
    successor_.store(next, std::memory_order_release);
  }
  for (auto& proposal : queue) next->Propose(std::move(proposal));
  return Status::Ok();
}

void LocalReplicator::Stop() {
  std::unique_lock lock(mutex_);
  if (Replicator* const next = successor()) {
    lock.unlock();
    return next->Stop();
  }
  stopped_ = true;
  idle_.wait(lock, [this] { return !scheduled_; });
  if (durability_.mode != DurabilityMode::kInterval) return;
  lock.unlock();
  // Nothing sets the timer again, and on the loop it is stopped for good.
  std::promise<void> stopped;
  loop_->Post([this, &stopped] {
    if (sync_timer_) loop_->Cancel(*sync_timer_);
    stopped.set_value();
  });
  stopped.get_future().wait();
}

}  // namespace strata
