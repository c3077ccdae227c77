#ifndef STRATA_RPC_GRPC_OPTIONS_H_
#define STRATA_RPC_GRPC_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/limits.h"
#include "base/loop.h"

namespace strata {

struct GrpcServerOptions {
  uint64_t max_request_bytes = limits::kMaxRequestBytes;
  uint32_t max_concurrent_streams = UINT32_MAX;  // of one connection
  // Clients that ping more often are sent away.
  Duration keepalive_min_time = std::chrono::seconds(5);
  // Clients are pinged this often when idle, and closed if they do not answer
  // for `keepalive_timeout`; 0: never.
  Duration keepalive_interval = std::chrono::hours(2);
  Duration keepalive_timeout = std::chrono::seconds(20);
  // What calls may keep in memory, together: requests that are coming in and
  // answers that wait for their clients. Calls beyond it are refused. 0: no
  // bound.
  uint64_t memory_bytes = 0;
  // Each with connections of its own. One serves with the least CPU time per
  // call; more serve more calls.
  int threads = 1;
  // For so long after a call came in, two processors poll rather than sleep:
  // base/idle_poll.h. 0: they sleep.
  Duration idle_poll_time = Duration::zero();
  // Whether there is a leader: calls that ask for one ("hasleader" in their
  // metadata) are refused if not. Any thread. Unset: there is.
  std::function<bool()> has_leader = {};
};

}  // namespace strata

#endif  // STRATA_RPC_GRPC_OPTIONS_H_
