#ifndef STRATA_SERVER_APPLIER_H_
#define STRATA_SERVER_APPLIER_H_

#include <functional>

#include "base/status.h"
#include "engine/store.h"
#include "raft/types.h"
#include "rpc/proto/raft_internal.pb.h"
#include "server/alarms.h"
#include "server/apply_result.h"
#include "server/cluster.h"
#include "server/lessor.h"
#include "server/node_stats.h"

namespace strata {

// What entries change; all outlive the applier. And how.
struct AppliedTo {
  Store* store = nullptr;
  Cluster* cluster = nullptr;
  Alarms* alarms = nullptr;
  Lessor* lessor = nullptr;
  NodeCounters* counters = nullptr;
  int64_t min_lease_ttl_seconds = 0;  // no lease lasts less
  // What is left of a lease at a checkpoint goes into the lease table, at
  // levels at which it otherwise does not.
  bool persist_lease_checkpoints = false;
};

// Turns log entries into changes of the store and the cluster: one switch, the
// same for an entry just proposed and for one replayed. Deterministic: what it
// does depends on the log alone. Bound to the apply thread.
class Applier {
 public:
  // `compacted` is called on the store's flusher when a compaction up to that
  // revision has physically finished.
  Applier(const AppliedTo& to, std::function<void(Revision)> compacted)
      : store_(to.store),
        cluster_(to.cluster),
        alarms_(to.alarms),
        lessor_(to.lessor),
        counters_(to.counters),
        min_lease_ttl_seconds_(to.min_lease_ttl_seconds),
        persist_lease_checkpoints_(to.persist_lease_checkpoints),
        compacted_(std::move(compacted)) {}

  // The request's answer, or the refusal that is the outcome of applying it.
  StatusOr<ApplyResult> Apply(const etcdserverpb::InternalRaftRequest& request,
                              LogIndex index, Term term);

  // Replays an entry. What it asked for may be refused, as it was the first
  // time; not OK only if the entry cannot be applied at all.
  Status Replay(const raft::Entry& entry);

  // Not OK once an entry met damage: it may be half applied, and none may
  // follow it.
  const Status& damage() const { return damage_; }

 private:
  StatusOr<ApplyResult> Admit(const etcdserverpb::InternalRaftRequest& request);
  StatusOr<ApplyResult> Dispatch(
      const etcdserverpb::InternalRaftRequest& request);

  StatusOr<ApplyResult> GrantLease(
      const etcdserverpb::LeaseGrantRequest& request);
  StatusOr<ApplyResult> RevokeLease(LeaseId id);
  StatusOr<ApplyResult> CheckpointLeases(
      const etcdserverpb::LeaseCheckpointRequest& request);

  Store* const store_;
  Cluster* const cluster_;
  Alarms* const alarms_;
  Lessor* const lessor_;
  NodeCounters* const counters_;
  const int64_t min_lease_ttl_seconds_;
  const bool persist_lease_checkpoints_;
  const std::function<void(Revision)> compacted_;
  Status damage_;
};

}  // namespace strata

#endif  // STRATA_SERVER_APPLIER_H_
