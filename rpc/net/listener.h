#ifndef STRATA_RPC_NET_LISTENER_H_
#define STRATA_RPC_NET_LISTENER_H_

#include <functional>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/logger.h"
#include "base/status.h"
#include "rpc/net/io_thread.h"

namespace strata {

struct ListenOptions {
  Env* env = nullptr;  // removes what a dead server left of a unix socket
  Logger* logger = Logger::Null();
  // A connection whose descriptor would have this number or a higher one is
  // closed at once: those that there are have taken the lower ones. 0: the
  // process's limit less kReservedDescriptors.
  int max_descriptor = 0;
  // Several processes may listen on the address; each connection is one's.
  bool reuse_port = false;
};

// Kept for files and for what else is not a client's, as etcd does.
inline constexpr int kReservedDescriptors = 150;

// A listening socket. Bound to an IoThread once it accepts.
class Listener {
 public:
  // Gets a connected socket, non-blocking, and who is at its other end.
  using Accepted = std::function<void(int fd, std::string peer)>;

  // Listens on "127.0.0.1:2379", "[::]:0" or "unix:/a/path". The file of a unix
  // socket that nobody listens on any more is replaced; it is removed by the
  // destructor.
  static StatusOr<std::unique_ptr<Listener>> Open(const std::string& address,
                                                  const ListenOptions& options);
  // On the thread, if it accepts.
  virtual ~Listener() = default;

  // On the thread; `accepted` is called there until the listener is destroyed.
  virtual void Accept(IoThread* thread, Accepted accepted) = 0;
  // The one chosen where 0 was asked; 0 of a unix socket.
  virtual int port() const = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_NET_LISTENER_H_
