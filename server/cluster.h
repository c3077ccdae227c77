#ifndef STRATA_SERVER_CLUSTER_H_
#define STRATA_SERVER_CLUSTER_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/status.h"
#include "base/types.h"
#include "engine/store.h"
#include "raft/types.h"
#include "server/command.h"
#include "snapshot/snap_file.h"

namespace strata {

// Learners at a time, as in etcd.
inline constexpr size_t kMaxLearners = 1;

// The context of a change that makes a learner a voter.
std::string EncodePromotion(MemberId id);
bool IsPromotion(const raft::ConfChange& change);

// Members are to be replaced by those of an earlier release, one by one.
struct Downgrade {
  bool enabled = false;
  std::string target = {};  // "3.4.0"
};

// Who is in the cluster and at which version, as the log says. Changed on one
// thread (replay, then the node's loop); copied from any.
class Cluster {
 public:
  Cluster() = default;
  // All members must have the same `max_learners`, or they disagree on a
  // change.
  explicit Cluster(Membership start, size_t max_learners = kMaxLearners)
      : max_learners_(max_learners), membership_(std::move(start)) {}

  // Applies what concerns the cluster; other commands change nothing. `store`
  // gets the same change in its tables; null while entries are replayed that
  // the backend already has. DataLoss if a record does not parse.
  Status Apply(const Command& command, Store* store);
  Status Apply(const etcdserverpb::InternalRaftRequest& request, Store* store);

  // Whether a change of members has any effect, in etcd's words; every member
  // says the same. Changes for which it says no are passed over by Apply.
  Status Check(const raft::ConfChange& change) const;

  // What is in the store and not in a Membership: before any other call, and
  // when its content has been replaced.
  Status Restore(const Store& store);
  // A snapshot of another member has taken the place of everything.
  void Replace(Membership membership);

  Membership membership() const;
  Downgrade downgrade() const;
  // How many requests of downgrades, of their ends, and of versions meanwhile
  // have been applied.
  uint64_t downgrade_requests() const { return downgrade_requests_; }
  std::optional<MemberRecord> Find(MemberId id) const;
  bool IsRemoved(MemberId id) const;
  bool IsLearner(MemberId id) const;
  raft::ConfState conf_state() const;

 private:
  Status ApplyConfChange(const raft::ConfChange& change, Store* store);
  // REQUIRES: mutex_
  Status CheckLocked(const raft::ConfChange& change) const;
  Status CheckAdd(const raft::ConfChange& change) const;
  Status CheckUrls(const MemberRecord& member) const;
  Status ApplyV2(const etcdserverpb::Request& request, Store* store);
  Status SetAttributes(MemberId id, const std::string& name,
                       std::vector<std::string> client_urls, Store* store);
  void SetVersion(const std::string& version, Store* store);
  void SetDowngrade(const Downgrade& downgrade, Store* store);
  void SaveMember(const MemberRecord& member, Store* store);

  const size_t max_learners_ = kMaxLearners;
  mutable std::mutex mutex_;
  Membership membership_;  // guarded by mutex_
  Downgrade downgrade_;    // guarded by mutex_
  std::atomic<uint64_t> downgrade_requests_ = 0;
};

}  // namespace strata

#endif  // STRATA_SERVER_CLUSTER_H_
