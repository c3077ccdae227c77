#ifndef STRATA_SERVER_SNAPSHOTTER_H_
#define STRATA_SERVER_SNAPSHOTTER_H_

#include <condition_variable>
#include <memory>
#include <mutex>

#include "base/status.h"
#include "engine/store.h"
#include "server/cluster.h"
#include "server/node.h"
#include "server/node_stats.h"
#include "server/replicator.h"

namespace strata {

// Takes a raft snapshot every so many entries, or bytes of the log if they are
// large: has the store written to the backend, then a `.snap` file with the
// cluster's members, then a record of it in the log, then lets go of log
// segments and files that are not needed any more. One at a time, in the
// background; a failed one is tried again later. Also after a request that
// begins or ends a downgrade, and after the version that follows: etcd 3.4
// cannot read the one and refuses a snapshot from before the other. Must be
// stopped, or its loops have ended, before it is destroyed.
class Snapshotter {
 public:
  // All outlive the snapshotter; `last` is the newest snapshot's index.
  Snapshotter(const NodeOptions& options, const NodeWorld& world, Level level,
              Store* store, Cluster* cluster, Replicator* replicator,
              LogIndex last, NodeCounters* counters);

  // Tells what has been applied. Bound to the node's loop.
  void Applied(LogIndex index, Term term);

  // The state is now that of a snapshot of another member, whose file is there.
  // Bound to the node's loop.
  void Installed(LogIndex index);

  // Waits for the one under way; starts none after it. Blocks; not on a loop of
  // the node.
  void Stop();

 private:
  struct Point {
    LogIndex index;
    Term term;
    Membership membership;
    raft::ConfState conf_state;
  };

  bool IsDue(LogIndex index);
  void Take(Point point);
  Status WriteFile(const Point& point);                    // on the flusher
  void Record(const std::shared_ptr<const Point>& point);  // on the node's loop
  void Done();

  // Constant after construction.
  const std::string directory_;
  const uint64_t snapshot_count_;
  const uint64_t snapshot_bytes_;
  const uint64_t catch_up_entries_;
  const uint64_t max_snapshots_;
  const Level level_;
  const NodeWorld world_;
  Store* const store_;
  Cluster* const cluster_;
  Replicator* const replicator_;
  NodeCounters* const counters_;

  // Bound to the node's loop.
  LogIndex last_;                    // taken or tried
  uint64_t last_bytes_ = 0;          // of the log then
  uint64_t downgrade_requests_ = 0;  // that have led to one
  bool due_ = false;                 // whatever the count

  std::mutex mutex_;
  std::condition_variable idle_;
  bool busy_ = false;     // guarded by mutex_
  bool stopped_ = false;  // guarded by mutex_
};

}  // namespace strata

#endif  // STRATA_SERVER_SNAPSHOTTER_H_
