#ifndef STRATA_SERVER_LOCAL_REPLICATOR_H_
#define STRATA_SERVER_LOCAL_REPLICATOR_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "server/durability.h"
#include "server/node_stats.h"
#include "server/replicator.h"
#include "wal/wal.h"

namespace strata {

// Where a log goes on: what the replay of it has established.
struct LogPosition {
  Term term;            // the one this process writes in
  LogIndex last_index;  // durable and applied
};

// One member is its own quorum: an entry is decided when it is durable. The log
// it writes is a valid raft log: a member that starts gives itself a new term,
// votes for itself and opens the term with an empty entry.
//
// Must be stopped, or its loop have ended, before it is destroyed.
//
// The cluster of one may become one of several while it runs: HandOver.
//
// All proposals that wait are logged with one write and one fdatasync, applied
// and answered, on `loop`; while that goes on the next batch gathers.
class LocalReplicator : public Replicator {
 public:
  // `loop`, `logger`, `state_machine` and `counters` outlive the replicator.
  // Segments of the log are kept back to `max_wals` when they are released.
  LocalReplicator(MemberId self, LogPosition position, std::unique_ptr<Wal> wal,
                  uint64_t max_wals, const Durability& durability,
                  StateMachine* state_machine, Loop* loop, Logger* logger,
                  NodeCounters* counters);

  void Propose(std::unique_ptr<Proposal> proposal) override;
  void ReadIndex(std::function<void(const Status&)> done) override;
  void SnapshotTaken(const WalSnapshot& snapshot, LogIndex release,
                     std::function<void(const Status&)> done) override;
  ReplicatorStatus GetStatus() const override;
  void Stop() override;
  Status SyncLog() override;

  // What goes on with the log from here on: all that is in it is durable,
  // applied and answered.
  using Successor =
      std::function<Replicator*(std::unique_ptr<Wal> wal, LogPosition at)>;
  // Gives the log to another replicator, which `make` makes of it and which
  // outlives this one; it gets what waits now, and every call from then on.
  // Bound to the loop. On an error, that of a log that has failed or of having
  // been stopped, all stays as it was.
  Status HandOver(const Successor& make);

 private:
  using Queue = std::vector<std::unique_ptr<Proposal>>;

  using Batch = std::span<std::unique_ptr<Proposal>>;

  // Null: this one works.
  Replicator* successor() const {
    return successor_.load(std::memory_order_acquire);
  }
  Status RecordSnapshot(const WalSnapshot& snapshot, LogIndex release);
  Status Admit(const Proposal& proposal) const;  // REQUIRES: mutex_ is held
  void Drain();
  // Logs, syncs, applies and answers; or answers with what went wrong.
  void Commit(Batch batch);
  Status WriteLog(Batch batch);
  Status WriteOrSync();
  Status SyncNow();
  void AppendToLog(const Proposal& proposal, LogIndex index);
  void Refuse(Batch batch, const Status& status);

  // Constant after construction.
  const MemberId self_;
  const Term term_;
  StateMachine* const state_machine_;
  Loop* const loop_;
  Logger* const logger_;
  NodeCounters* const counters_;
  const uint64_t max_wals_;
  const Durability durability_;

  // Bound to loop_.
  std::unique_ptr<Wal> wal_;
  LogIndex last_index_;
  Status failed_;
  std::optional<Loop::TimerId> sync_timer_;
  std::string encoded_;                            // one entry, reused
  std::vector<CommittedEntry> committed_entries_;  // one batch, reused

  std::atomic<uint64_t> committed_;   // written on loop_, read anywhere
  std::atomic<uint64_t> pending_{0};  // and not answered; written under mutex_

  std::atomic<Replicator*> successor_{nullptr};  // set once, under mutex_

  std::mutex mutex_;
  std::condition_variable idle_;
  // Guarded by mutex_.
  Queue queue_;
  uint64_t queued_bytes_ = 0;
  bool scheduled_ = false;  // Drain is posted or running
  bool stopped_ = false;
};

}  // namespace strata

#endif  // STRATA_SERVER_LOCAL_REPLICATOR_H_
