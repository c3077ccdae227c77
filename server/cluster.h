#ifndef STRATA_SERVER_CLUSTER_H_
#define STRATA_SERVER_CLUSTER_H_

#include <mutex>
#include <string>

#include "base/status.h"
#include "base/types.h"
#include "engine/store.h"
#include "raft/types.h"
#include "server/command.h"
#include "snapshot/snap_file.h"

namespace strata {

// Who is in the cluster and at which version, as the log says. Changed on one
// thread (replay, then the node's loop); copied from any.
class Cluster {
 public:
  Cluster() = default;
  explicit Cluster(Membership start) : membership_(std::move(start)) {}

  // Applies what concerns the cluster; other commands change nothing. `store`
  // gets the same change in its tables; null while entries are replayed that
  // the backend already has. DataLoss if a record does not parse.
  Status Apply(const Command& command, Store* store);
  Status Apply(const etcdserverpb::InternalRaftRequest& request, Store* store);

  Membership membership() const;
  raft::ConfState conf_state() const;

 private:
  Status ApplyConfChange(const raft::ConfChange& change, Store* store);
  Status ApplyV2(const etcdserverpb::Request& request, Store* store);
  Status SetAttributes(MemberId id, const std::string& name,
                       std::vector<std::string> client_urls, Store* store);
  void SetVersion(const std::string& version, Store* store);
  void SaveMember(const MemberRecord& member, Store* store);

  mutable std::mutex mutex_;
  Membership membership_;  // guarded by mutex_
};

}  // namespace strata

#endif  // STRATA_SERVER_CLUSTER_H_
