#ifndef STRATA_RPC_PEER_LEADER_CLIENT_H_
#define STRATA_RPC_PEER_LEADER_CLIENT_H_

#include <memory>

#include "rpc/peer/transport.h"
#include "server/node.h"

namespace strata::peer {

// Asks the leader on its peer port (member_routes.h, or etcd's). `transport`
// knows where it is, and outlives the client. Thread-safe.
std::unique_ptr<LeaderClient> NewLeaderClient(PeerTransport* transport);

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_LEADER_CLIENT_H_
