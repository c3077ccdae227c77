#ifndef STRATA_SERVER_INCOMING_SNAPSHOT_H_
#define STRATA_SERVER_INCOMING_SNAPSHOT_H_

#include <functional>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/status.h"
#include "base/types.h"
#include "server/transport.h"

namespace strata {

// Where etcd keeps the database that came with a snapshot until the `.snap`
// file of the same index is there too: member/snap/%016x.snap.db.
std::string IncomingDatabasePath(const std::string& snap_directory,
                                 LogIndex index);

// Receives the database of the snapshot at `index` into `snap_directory`.
// `finished` is called by Finish() once the file has its name, durably. A file
// that is not finished has a name that nobody reads, and is removed. Two may
// come at once, from a leader and from the one before: `number` is another one
// for each.
StatusOr<std::unique_ptr<IncomingSnapshot>> ReceiveDatabase(
    Env* env, const std::string& snap_directory, LogIndex index,
    uint64_t number, std::function<void()> finished);

// Removes what came for snapshots other than that at `keep`, and what was left
// unfinished.
Status RemoveIncoming(Env* env, const std::string& snap_directory,
                      LogIndex keep);

// Removes what came for snapshots up to `applied`: nobody installs them any
// more. What is still coming stays.
Status RemoveOutrun(Env* env, const std::string& snap_directory,
                    LogIndex applied);

}  // namespace strata

#endif  // STRATA_SERVER_INCOMING_SNAPSHOT_H_
