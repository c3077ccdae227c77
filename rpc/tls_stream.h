#ifndef STRATA_RPC_TLS_STREAM_H_
#define STRATA_RPC_TLS_STREAM_H_

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "rpc/net/byte_stream.h"
#include "rpc/net/io_thread.h"
#include "rpc/tls.h"

namespace strata {

// A connection with TLS. Bound to an IoThread.
class TlsStream : public ByteStream {
 public:
  // Done: OK, or why the two do not talk.
  using Done = std::function<void(const Status&)>;

  // Our end is the server's. Takes the socket.
  static std::unique_ptr<TlsStream> Server(
      IoThread* thread, int fd, std::shared_ptr<const TlsConfig> config,
      const TlsProtocols& protocols);
  // Our end is the client's, which means to reach `host`, a name or an address.
  static std::unique_ptr<TlsStream> Client(
      IoThread* thread, int fd, std::shared_ptr<const TlsConfig> config,
      const std::string& host);

  // First of all. `done` is called once, unless it is closed before.
  virtual void Handshake(Done done) = 0;

  // After it. The other end's, verified; empty: it has none.
  virtual std::string certificate_name() const = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_TLS_STREAM_H_
