#ifndef STRATA_RPC_H2_SHARED_H_
#define STRATA_RPC_H2_SHARED_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/idle_poll.h"
#include "rpc/grpc_options.h"
#include "rpc/h2/budget.h"
#include "rpc/node_loops.h"
#include "rpc/stream.h"
#include "rpc/unary.h"

namespace strata {

// A method, of one kind or the other.
struct GrpcMethod {
  UnaryMethod unary = {};
  StreamMethod stream = {};

  bool is_stream() const { return stream.open != nullptr; }
};

// What the workers of one server share. Outlives them.
struct GrpcShared {
  GrpcShared(const GrpcServerOptions& given, std::vector<UnaryMethod> unary,
             std::vector<StreamMethod> streams, const NodeLoops& node_loops);

  // None: there is no such method.
  const GrpcMethod* Find(std::string_view path) const;

  const GrpcServerOptions options;
  // Messages beyond it are refused in the words of a Go server.
  const uint64_t max_message_bytes;
  // Single calls of a connection are served while no more than this waits for
  // its client to read it, nor will when they are answered, by the size of its
  // answers so far: no client can have all of the budget.
  const uint64_t max_unsent_bytes;
  const NodeLoops loops;  // see GrpcServer::Start
  std::map<std::string, GrpcMethod, std::less<>> methods;
  Budget budget;
  IdlePoll idle_poll;
};

}  // namespace strata

#endif  // STRATA_RPC_H2_SHARED_H_
