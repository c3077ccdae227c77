#ifndef STRATA_RPC_H2_HEAD_H_
#define STRATA_RPC_H2_HEAD_H_

#include <string>
#include <string_view>

#include "rpc/h2/call.h"

namespace strata {

// One more header of a call.
void AddToHead(std::string_view name, std::string_view value, CallHead* head);

// "3S", "100m": gRPC's TimeoutValue and TimeoutUnit. None: neither.
std::optional<Duration> ParseTimeout(std::string_view text);

// A status' message as the grpc-message header has it: bytes that are not
// printable ASCII, and '%', as %XX.
std::string PercentEncoded(std::string_view message);

}  // namespace strata

#endif  // STRATA_RPC_H2_HEAD_H_
