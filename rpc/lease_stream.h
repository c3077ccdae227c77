#ifndef STRATA_RPC_LEASE_STREAM_H_
#define STRATA_RPC_LEASE_STREAM_H_

#include "rpc/stream.h"
#include "server/node.h"

namespace strata {

// Lease.LeaseKeepAlive: each message renews a lease and is answered, in turn,
// with the time it has again; 0 says that it is gone, and then its keys are.
// `node` outlives the method.
StreamMethod LeaseKeepAliveMethod(Node* node);

}  // namespace strata

#endif  // STRATA_RPC_LEASE_STREAM_H_
