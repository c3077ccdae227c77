#ifndef STRATA_RPC_GATEWAY_GATEWAY_H_
#define STRATA_RPC_GATEWAY_GATEWAY_H_

#include <cstdint>
#include <vector>

#include "base/limits.h"
#include "base/loop.h"
#include "engine/level.h"
#include "rpc/http/handler.h"
#include "rpc/stream.h"
#include "rpc/unary.h"

namespace strata {

struct GatewayOptions {
  Level level = Level::V3_5();
  // Where a stream's handler is given what it asked for: it may ask with its
  // own lock held. Runs nothing that blocks. Outlives the routes.
  Loop* loop = nullptr;
  // As the gRPC server's.
  uint64_t max_request_bytes = limits::kMaxRequestBytes;
};

// The API in JSON: POST /v3/kv/range and so on, also under /v3beta, for each of
// the methods that has a place there. In process: the handlers are those that
// gRPC calls. A stream's answers are objects on lines of their own,
// {"result":...}; what the client sends on one may follow each other in the
// body, which need not end. What the methods refer to outlives the routes.
std::vector<HttpRoute> GatewayRoutes(const GatewayOptions& options,
                                     const std::vector<UnaryMethod>& methods,
                                     const std::vector<StreamMethod>& streams);

}  // namespace strata

#endif  // STRATA_RPC_GATEWAY_GATEWAY_H_
