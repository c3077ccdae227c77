#ifndef STRATA_RPC_PROPOSE_H_
#define STRATA_RPC_PROPOSE_H_

#include <google/protobuf/arena.h>

#include <utility>
#include <variant>

#include "base/check.h"
#include "rpc/header.h"
#include "rpc/proto/raft_internal.pb.h"
#include "rpc/unary.h"

// How a handler sends a request through the log.
namespace strata {

// The request on its way through the log. It and what the caller puts into it
// share an arena: nothing is copied.
template <typename Request>
etcdserverpb::InternalRaftRequest* NewRaftRequest(Request* request) {
  CHECK(request->GetArena() != nullptr);
  return google::protobuf::Arena::CreateMessage<
      etcdserverpb::InternalRaftRequest>(request->GetArena());
}

// Proposes, and answers with `encode(header, result)` of the Result.
template <typename Result, typename Encode>
void Propose(Node* node, etcdserverpb::InternalRaftRequest* request,
             Encode encode, Reply reply) {
  node->Propose(request, [node, encode, reply = std::move(reply)](
                             StatusOr<ApplyResult> result) {
    if (!result.ok()) return reply(result.status());
    reply(encode(CurrentHeader(node), std::get<Result>(*result)));
  });
}

}  // namespace strata

#endif  // STRATA_RPC_PROPOSE_H_
