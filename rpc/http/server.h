#ifndef STRATA_RPC_HTTP_SERVER_H_
#define STRATA_RPC_HTTP_SERVER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/http/handler.h"
#include "rpc/net/byte_stream.h"
#include "rpc/net/io_thread.h"
#include "rpc/net/listener.h"

namespace strata {

struct HttpServerOptions {
  // Request line and headers together; more is 431.
  uint64_t max_head_bytes = 64 << 10;
  // From the connection's beginning, or the first byte of a later request, to
  // the end of its head; later is 408.
  Duration head_timeout = std::chrono::seconds(10);
  // Between two requests.
  Duration idle_timeout = std::chrono::minutes(5);
  // For the next piece of a body, until the response has begun; later is 408.
  Duration body_timeout = std::chrono::seconds(30);
  // A client that takes nothing of what is sent for so long is cut off.
  Duration write_timeout = std::chrono::seconds(60);
  // What waits to be sent on a connection before Writable() is false.
  uint64_t write_buffer_bytes = 1 << 20;
};

// HTTP/1.1: what carries an exchange of rpc/http/handler.h. All bounded by its
// options, but for how long a handler takes. A path without a route is 404;
// what a handler does not serve of a method (405) is its own to say.
//
// The handlers are called on the IoThread, and so must not block.
class HttpServer {
 public:
  // `thread` must outlive the server.
  static std::unique_ptr<HttpServer> New(IoThread* thread,
                                         std::vector<HttpRoute> routes,
                                         const HttpServerOptions& options = {});
  virtual ~HttpServer() = default;  // REQUIRES: Shutdown has returned

  // Listens on an address as Listener::Open takes it, without TLS. Returns the
  // port. Any thread but the IoThread.
  virtual StatusOr<int> Listen(const std::string& address,
                               const ListenOptions& options) = 0;

  // Serves an established connection, of which `first_bytes` have been read
  // already. On the IoThread.
  virtual void Adopt(std::unique_ptr<ByteStream> stream, ConnectionInfo info,
                     std::string_view first_bytes = {}) = 0;

  // Takes no new connections and requests, aborts what is answered in pieces,
  // lets other exchanges end, and cuts off what has not after `grace`. No
  // handler is called after it has returned. Not on the IoThread.
  virtual void Shutdown(Duration grace) = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_HTTP_SERVER_H_
