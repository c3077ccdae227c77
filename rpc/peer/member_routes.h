#ifndef STRATA_RPC_PEER_MEMBER_ROUTES_H_
#define STRATA_RPC_PEER_MEMBER_ROUTES_H_

#include <vector>

#include "rpc/http/handler.h"
#include "server/node.h"

namespace strata::peer {

// The paths of the peer port beside raft's, as etcd has them: /version,
// /members, /members/promote/ID, /members/hashkv,
// /downgrade/enabled, /leases and /leases/internal.
// `node` outlives them, as does the worker, where hashes are computed.
// Thread-safe.
std::vector<HttpRoute> MemberRoutes(Node* node, Loop* worker);

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_MEMBER_ROUTES_H_
