#ifndef STRATA_SERVER_REPLICATOR_H_
#define STRATA_SERVER_REPLICATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/loop.h"
#include "base/status.h"
#include "base/types.h"
#include "raft/types.h"
#include "server/apply_result.h"
#include "wal/wal.h"

namespace etcdserverpb {
class InternalRaftRequest;
}

namespace strata {

// A change on its way through the log. Made by the proposer, owned by the
// replicator until `reply` has been called, exactly once.
struct Proposal {
  // What is logged and applied. Borrowed: stays valid until `reply` has
  // returned.
  const etcdserverpb::InternalRaftRequest* request = nullptr;
  // Of the encoded request, which caches the sizes of its parts: it must not
  // change after ByteSizeLong().
  uint64_t bytes = 0;
  // Instead of a request: a change of the cluster's members.
  std::optional<raft::ConfChange> conf_change = std::nullopt;
  // To be logged by this member as the leader of this term, or refused; 0: by
  // whoever leads.
  Term only_in = {};
  // When it was taken on, and when its batch was begun and was durable.
  Time proposed = {};
  Time batch_began = {};
  Time logged = {};
  // Called on the node's loop: after the change is durable and applied, or with
  // the error that kept it from being so. Must not block.
  std::function<void(StatusOr<ApplyResult>)> reply;
};

// What is durable and decided, in log order. `proposal` is the one it came from
// if that is known without a look at the entry, which then need not be decoded.
struct CommittedEntry {
  LogIndex index;
  Term term;
  const raft::Entry* entry = nullptr;  // set if `proposal` is not
  Proposal* proposal = nullptr;
};

// What a replicator drives. Bound to the node's loop.
class StateMachine {
 public:
  virtual ~StateMachine() = default;
  // Applies in order and replies to proposals; called with whole batches.
  virtual void Apply(std::span<const CommittedEntry> entries) = 0;
  // The replicator can go no further (a failed sync): nothing proposed from now
  // on will be decided, and the process should stop.
  virtual void Fail(const Status& status) = 0;
};

struct ReplicatorStatus {
  Term term;
  MemberId leader;
  LogIndex last_index;  // in the log
  LogIndex committed;
  uint64_t pending = 0;  // proposals taken on and not answered
};

// The line between "proposed" and "applied". LocalReplicator: the log, then
// apply. RaftReplicator: the log, a quorum, then apply.
class Replicator {
 public:
  virtual ~Replicator() = default;

  // Any thread. Too many waiting: `reply` gets ResourceExhausted "etcdserver:
  // too many requests", on the caller's thread.
  virtual void Propose(std::unique_ptr<Proposal> proposal) = 0;

  // Calls `done` once reads of the store see every change that was acknowledged
  // to anybody before this call. Any thread; may call back before it returns.
  virtual void ReadIndex(std::function<void(const Status&)> done) = 0;

  // Records that a raft snapshot file covers the log up to `snapshot.index`,
  // and lets go of segments before `release`; then calls `done`. Bound to the
  // node's loop.
  virtual void SnapshotTaken(const WalSnapshot& snapshot, LogIndex release,
                             std::function<void(const Status&)> done) = 0;

  // Makes all that is acknowledged durable, where it is not yet (durability.h).
  // Any thread but the node's loop, which it waits for.
  virtual Status SyncLog() = 0;

  // Any thread.
  virtual ReplicatorStatus GetStatus() const = 0;

  // Refuses new proposals, finishes those taken. Blocks.
  virtual void Stop() = 0;
};

}  // namespace strata

#endif  // STRATA_SERVER_REPLICATOR_H_
