#ifndef STRATA_RPC_PEER_LEADER_CLIENT_H_
#define STRATA_RPC_PEER_LEADER_CLIENT_H_

#include <memory>

#include "rpc/peer/transport.h"
#include "server/node.h"

namespace strata::peer {

// A member's HashKV by its peer port; `urls` are tried one after another. The
// answer comes on the client's thread.
void AskHashKv(HttpClient* client, std::vector<std::string> urls,
               Revision revision,
               std::function<void(StatusOr<MemberHash>)> reply);

// Compares this member's keys with those of all others that answer, before it
// takes part: FailedPrecondition, in etcd's words, if they differ. Blocks.
Status CheckInitialHashes(Node* node, HttpClient* client, Logger* logger);

// Asks the leader on its peer port (member_routes.h, or etcd's). `transport`
// knows where it is, and outlives the client. Thread-safe.
std::unique_ptr<LeaderClient> NewLeaderClient(PeerTransport* transport);

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_LEADER_CLIENT_H_
