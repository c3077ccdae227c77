#ifndef STRATA_CMD_DAEMON_CLIENT_PORTS_H_
#define STRATA_CMD_DAEMON_CLIENT_PORTS_H_

#include <memory>
#include <string>
#include <vector>

#include "base/combining_loop.h"
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
#include "rpc/plain_http.h"
#include "rpc/services.h"
#include "server/node.h"

namespace strata {

// All that clients connect to: the servers of gRPC and HTTP and, before them,
// what listens.
class ClientPorts {
 public:
  // Serves when it returns. What it is given must outlive it; `timer` is a loop
  // that times what the plain paths check, and looks for a leader.
  static StatusOr<std::unique_ptr<ClientPorts>> Open(
      const StratadOptions& options, Node* node, Services* services,
      CombiningLoop* node_loop, Loop* timer, Logger* logger);
  ~ClientPorts();  // REQUIRES: Shutdown has returned

  // Listens no more, and lets what is being served end.
  void Shutdown(Duration grace);

 private:
  ClientPorts(const StratadOptions& options, Node* node, Loop* timer,
              Logger* logger);

  Status Start(const StratadOptions& options, Node* node, Services* services,
               CombiningLoop* node_loop, Logger* logger);
  std::vector<FrontAddress> Addresses(const StratadOptions& options) const;

  std::string MetricsPage() const;

  Node* const node_;
  Loop* const timer_;
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
