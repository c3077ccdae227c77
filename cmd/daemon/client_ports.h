#ifndef STRATA_CMD_DAEMON_CLIENT_PORTS_H_
#define STRATA_CMD_DAEMON_CLIENT_PORTS_H_

#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "cmd/daemon/command_line.h"
#include "rpc/call_stats.h"
#include "rpc/front.h"
#include "rpc/grpc_server.h"
#include "rpc/http/server.h"
#include "rpc/leader_monitor.h"
#include "rpc/net/io_thread.h"
#include "rpc/node_loops.h"
#include "rpc/peer/stats.h"
#include "rpc/plain_http.h"
#include "rpc/services.h"
#include "rpc/tls.h"
#include "server/node.h"

namespace strata {

// All that clients connect to: the servers of gRPC and HTTP and, before them,
// what listens.
class ClientPorts {
 public:
  // What they need; all of it outlives them.
  struct Parts {
    Node* node = nullptr;
    NodeLoops loops = {};
    Services* services = nullptr;
    Loop* timer = nullptr;  // times checks, looks for a leader
    // Of the other members; null: there are none.
    std::function<std::vector<peer::PeerStats>()> peers = nullptr;
    TlsContext* tls = nullptr;  // if a URL needs it
    Logger* logger = Logger::Null();
  };

  // Serves when it returns.
  static StatusOr<std::unique_ptr<ClientPorts>> Open(
      const StratadOptions& options, const Parts& parts);
  ~ClientPorts();  // REQUIRES: Shutdown has returned

  // Listens no more, and lets what is being served end.
  void Shutdown(Duration grace);

 private:
  ClientPorts(const StratadOptions& options, const Parts& parts);

  Status Start(const StratadOptions& options);
  std::vector<FrontAddress> Addresses(const StratadOptions& options) const;
  void LogServing(const StratadOptions& options) const;

  std::string MetricsPage() const;

  const Parts parts_;
  IoThread thread_{"front"};
  CallObserver calls_;
  PlainHttp plain_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<HttpServer> http_;     // all paths
  std::unique_ptr<HttpServer> metrics_;  // --listen-metrics-urls
  std::unique_ptr<Front> front_;
  std::unique_ptr<LeaderMonitor> monitor_;
};

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_CLIENT_PORTS_H_
