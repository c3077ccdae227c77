#ifndef STRATA_RPC_GRPC_SERVER_H_
#define STRATA_RPC_GRPC_SERVER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/combining_loop.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/status.h"
#include "rpc/stream.h"
#include "rpc/unary.h"

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
  // What gRPC may use for connections and calls, together, as far as it counts
  // it; with more it ends calls, of whichever connections. 0: no bound.
  uint64_t memory_bytes = 0;
  // Each with a completion queue of its own, on which a call stays. One serves
  // with the least CPU time per call; more serve more calls.
  int threads = 1;
  // For so long after a call came in, two processors poll rather than sleep:
  // base/idle_poll.h. 0: they sleep.
  Duration idle_poll_time = Duration::zero();
  // Whether there is a leader: calls that ask for one ("hasleader" in their
  // metadata) are refused if not. Any thread. Unset: there is.
  std::function<bool()> has_leader = {};
};

// Serves methods over gRPC, on connections that it is given. What it does not
// know answers Unimplemented. Thread-safe.
class GrpcServer {
 public:
  // Serves when it returns. What `methods` and `streams` refer to must outlive
  // the server, and so must `loop`: the one that methods go
  // through the log on, if the threads that take calls may run it. A call that
  // is alone then needs no other thread.
  static StatusOr<std::unique_ptr<GrpcServer>> Start(
      const GrpcServerOptions& options, std::vector<UnaryMethod> methods,
      std::vector<StreamMethod> streams = {}, CombiningLoop* loop = nullptr);
  virtual ~GrpcServer() = default;  // REQUIRES: Shutdown has returned

  // Serves a connected socket, non-blocking, of which nothing has been read; it
  // is the server's from now on. After Shutdown it is closed.
  virtual void Adopt(int fd) = 0;

  // Ends the streams that ask for a leader: there has been none for long.
  virtual void FinishStreamsForLeader() = 0;

  // Refuses new calls, ends the streams, lets other calls that are being served
  // end, cancels what has not after `grace`. Blocks until every handler has
  // replied.
  virtual void Shutdown(Duration grace) = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_GRPC_SERVER_H_
