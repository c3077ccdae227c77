#ifndef STRATA_SERVER_OPENING_H_
#define STRATA_SERVER_OPENING_H_

#include <string>
#include <vector>

#include "base/status.h"
#include "raft/types.h"
#include "rpc/proto/raft_internal.pb.h"
#include "server/data_dir.h"
#include "server/id_generator.h"
#include "server/node.h"
#include "wal/wal.h"

namespace strata {

// By which a member tells the cluster its name and client URLs, and a leader
// the cluster's version, in the form of the level. Without an id.
etcdserverpb::InternalRaftRequest SelfAttributesRequest(
    const Level& level, MemberId self, const NodeOptions& options);
etcdserverpb::InternalRaftRequest ClusterVersionRequest(
    const Level& level, const std::string& version);

// What a single member writes into its log each time it starts, as a raft
// leader would: a new term with its own vote, the empty entry that opens it,
// and, where they changed, its name and client URLs and the cluster's version.
class Opening {
 public:
  Opening(const NodeOptions& options, const DataDir& dir,
          const Membership& membership, IdGenerator* ids);

  Term term() const { return term_; }
  const std::vector<raft::Entry>& entries() const { return entries_; }

  // Appends and syncs.
  Status WriteTo(Wal* wal) const;

 private:
  void Add(etcdserverpb::InternalRaftRequest request, uint64_t id);

  const Term term_;
  raft::HardState hard_state_;
  LogIndex last_index_;
  std::vector<raft::Entry> entries_;
};

}  // namespace strata

#endif  // STRATA_SERVER_OPENING_H_
