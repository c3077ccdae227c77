#ifndef STRATA_RPC_PEER_JOIN_H_
#define STRATA_RPC_PEER_JOIN_H_

#include <functional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/status.h"
#include "engine/level.h"
#include "rpc/peer/http_client.h"
#include "server/node.h"

// How a new member finds the cluster that it is to be part of, and a cluster a
// new member. The errors are etcd's.
namespace strata::peer {

struct JoinRequest {
  std::string name = {};                           // of this member
  std::vector<MemberRecord> initial_cluster = {};  // it among them
};

struct JoinedCluster {
  ExistingCluster cluster = {};
  Level level = Level::V3_5();  // the cluster's
};

// Blocks. Asks the members of a cluster that is there who they are: those of
// the request must be the same, by their URLs, and have been told of this one.
// At least one must say a version that we can follow.
StatusOr<JoinedCluster> JoinCluster(HttpClient* client,
                                    const JoinRequest& request, Logger* logger);

// Blocks. For a new cluster: fails if another member says that this one has
// been started before, and so has lost its directory. Who does not answer is
// passed over.
Status CheckNotStartedBefore(HttpClient* client, const JoinRequest& request);

// Calls `done` on the client's thread with whether anybody serves HTTP at one
// of `urls`; does not block.
void Probe(HttpClient* client, std::vector<std::string> urls,
           std::function<void(const Status&)> done);

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_JOIN_H_
