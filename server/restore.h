#ifndef STRATA_SERVER_RESTORE_H_
#define STRATA_SERVER_RESTORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "base/status.h"
#include "base/types.h"

namespace strata {

// What `etcdutl snapshot restore` is told.
struct RestoreOptions {
  std::string snapshot = {};  // what `snapshot save` wrote, or a db file
  std::string name = "default";
  std::string data_dir = {};  // empty: NAME.etcd
  std::string wal_dir = {};   // empty: data_dir/member/wal
  std::string initial_cluster = {};
  std::string initial_cluster_token = "etcd-cluster";
  std::vector<std::string> initial_advertise_peer_urls = {};
  // A file without a SHA-256 at its end is fine, and one that there is does not
  // count.
  bool skip_hash_check = false;
  // The cluster begins so many revisions further on, and what was before counts
  // as compacted: clients that know more than the snapshot learn of it. Both or
  // neither.
  uint64_t bump_revision = 0;
  bool mark_compacted = false;
};

struct RestoredMember {
  std::string data_dir = {};
  MemberId member = {};
  ClusterId cluster = {};
  Revision revision = {};  // the newest in its key table
};

// Makes the data directory of one member of a new cluster, whose store is that
// of a snapshot: the db with the new members in place of the old, a raft
// snapshot and a log that say the same. Each member of the new cluster is
// restored from the same file. Refusals are in etcd's words.
//
// Every page of the snapshot is checked. A directory that is not empty is left
// alone. What an interrupted restore leaves is no directory that a server would
// start on: the log comes last.
StatusOr<RestoredMember> RestoreSnapshot(Env* env,
                                         const RestoreOptions& options,
                                         Logger* logger);

}  // namespace strata

#endif  // STRATA_SERVER_RESTORE_H_
