#ifndef STRATA_RPC_GATEWAY_PATHS_H_
#define STRATA_RPC_GATEWAY_PATHS_H_

#include <string>
#include <string_view>
#include <vector>

namespace strata {

// Where the JSON gateway has a method of gRPC: "/v3/kv/range" for
// "/etcdserverpb.KV/Range", some at two places; none if nowhere.
std::vector<std::string> GatewayPaths(std::string_view method);

}  // namespace strata

#endif  // STRATA_RPC_GATEWAY_PATHS_H_
