#ifndef STRATA_RPC_GRPC_SERVER_H_
#define STRATA_RPC_GRPC_SERVER_H_

#include <memory>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/grpc_options.h"
#include "rpc/node_loops.h"
#include "rpc/stream.h"
#include "rpc/unary.h"

namespace strata {

// Serves methods over gRPC, on connections that it is given. What it does not
// know answers Unimplemented. Thread-safe.
class GrpcServer {
 public:
  // Serves when it returns. What `methods` and `streams` refer to must outlive
  // the server. A call that goes through the log and is alone
  // needs no other thread if those that take calls may run `loops`.
  static StatusOr<std::unique_ptr<GrpcServer>> Start(
      const GrpcServerOptions& options, std::vector<UnaryMethod> methods,
      std::vector<StreamMethod> streams = {}, const NodeLoops& loops = {});
  virtual ~GrpcServer() = default;  // REQUIRES: Shutdown has returned

  // Serves a connected socket, non-blocking, of which nothing has been read; it
  // is the server's from now on. After Shutdown it is closed, by the
  // destructor at the latest.
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
