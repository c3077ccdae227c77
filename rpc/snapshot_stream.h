#ifndef STRATA_RPC_SNAPSHOT_STREAM_H_
#define STRATA_RPC_SNAPSHOT_STREAM_H_

#include "base/loop.h"
#include "rpc/stream.h"
#include "server/node.h"

namespace strata {

// Maintenance.Snapshot: the store as it is when asked, as a bbolt file in
// pieces, then its SHA-256; what `etcdctl snapshot save` writes down. Changes
// go on meanwhile. It is read on `copier`, which waits for the client: one
// snapshot at a time, the next ones in turn. A client that takes nothing for a
// minute is sent away. Both outlive the method.
StreamMethod SnapshotMethod(Node* node, Loop* copier);

}  // namespace strata

#endif  // STRATA_RPC_SNAPSHOT_STREAM_H_
