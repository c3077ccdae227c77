#ifndef STRATA_SERVER_DATA_DIR_H_
#define STRATA_SERVER_DATA_DIR_H_

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/backend.h"
#include "server/node.h"
#include "snapshot/snap_file.h"
#include "wal/wal.h"

namespace strata {

// Where things are in a data directory, as etcd lays it out.
struct DataPaths {
  explicit DataPaths(const NodeOptions& options);

  std::string member;    // data_dir/member
  std::string wal;       // data_dir/member/wal
  std::string snap;      // data_dir/member/snap
  std::string database;  // data_dir/member/snap/db, or .../leveldb
};

// A data directory, opened and understood but not yet replayed into a store.
struct DataDir {
  MemberId member;
  ClusterId cluster;
  Level level = Level::V3_5();
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Wal> wal;
  LogIndex applied;  // what the backend has
  raft::HardState hard_state;
  LogIndex last_index;  // of the log, durable
  Term last_term;
  std::vector<raft::Entry> entries;  // those after the newest raft snapshot
  LogIndex snapshot_index;           // of that snapshot; 0 if there is none
  Term snapshot_term;
  Membership snapshot_membership;  // what it says of the cluster
  // A cluster of one: all that is in its log is decided.
  bool alone = true;
};

// The tables in the directory; makes them if there are none.
StatusOr<std::unique_ptr<Backend>> OpenTables(const NodeOptions& options,
                                              const NodeWorld& world,
                                              const DataPaths& paths);

// FailedPrecondition if the tables have what this version cannot honour.
Status CheckTables(const View& view, const std::string& database);

// Opens what is there, or makes a new directory; takes the locks. All that this
// version cannot honour (auth, other members without a transport, entries it
// cannot apply, a higher level) is found before anything in the directory is
// changed.
//
// A new cluster's log begins, on every member, with the same entries that add
// them all, as etcd writes it. That of a member that joins a cluster is empty:
// the leader fills it. A member that is forced into a new cluster keeps what is
// known to be committed, and its log says that the others are gone. A snapshot
// of another member that had come whole, but
// was not installed when the process ended, is installed.
StatusOr<DataDir> OpenDataDir(const NodeOptions& options,
                              const NodeWorld& world);

}  // namespace strata

#endif  // STRATA_SERVER_DATA_DIR_H_
