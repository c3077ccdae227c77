#ifndef STRATA_RPC_FRONT_H_
#define STRATA_RPC_FRONT_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "rpc/grpc_server.h"
#include "rpc/http/server.h"
#include "rpc/net/io_thread.h"
#include "rpc/net/listener.h"
#include "rpc/tls.h"

namespace strata {

// One address and what is served there. By the first bytes of a connection:
// those of HTTP/2 go to gRPC, others to the HTTP server; with TLS, by what
// comes inside.
struct FrontAddress {
  std::string address;  // as Listener::Open takes it
  // At least one of the two; borrowed.
  GrpcServer* grpc = nullptr;
  HttpServer* http = nullptr;
  // At least one of the two; with both the first byte decides.
  bool plain = true;
  TlsContext* tls = nullptr;  // borrowed
};

struct FrontOptions {
  ListenOptions listen = {};
  // A connection that has not shown by then what it is, after its handshake if
  // there is one, is closed.
  Duration first_bytes_timeout = std::chrono::seconds(10);
};

// Listens, and gives each connection to the server it is for. One of gRPC's
// without TLS is gRPC's alone from then on: nothing of it comes through here.
// TLS ends here; gRPC then has one end of a socket pair.
class Front {
 public:
  // Listens and serves when it returns. `thread` must outlive it, and be the
  // HTTP servers' own.
  static StatusOr<std::unique_ptr<Front>> Start(
      IoThread* thread, const FrontOptions& options,
      const std::vector<FrontAddress>& addresses);
  // Cuts the connections off that have TLS and are gRPC's. Not on the thread.
  virtual ~Front() = default;

  // The port of each address, in their order; 0 of a unix socket.
  virtual std::vector<int> ports() const = 0;

  // Listens no more, and closes the connections that are nobody's yet. Not on
  // the thread. The servers go on, and are shut down after it.
  virtual void Shutdown() = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_FRONT_H_
