#ifndef STRATA_CMD_DAEMON_PEER_PORT_H_
#define STRATA_CMD_DAEMON_PEER_PORT_H_

#include <memory>
#include <vector>

#include "base/combining_loop.h"
#include "base/loop.h"
#include "cmd/daemon/bootstrap.h"
#include "cmd/daemon/command_line.h"
#include "rpc/cluster_service.h"
#include "rpc/front.h"
#include "rpc/http/server.h"
#include "rpc/net/io_thread.h"
#include "rpc/peer/transport.h"
#include "rpc/tls.h"
#include "server/node.h"

namespace strata {

// What makes a member one of several: the transport to the others, and the port
// where they find us. Made before the node, served when it is open, ended
// after it has stopped.
class PeerPort {
 public:
  // A new member finds its cluster first, asks it who is in it if it joins one,
  // and puts what it has learned into `node`. Blocks; `pause` says when to give
  // up. The node's loop outlives the port.
  static StatusOr<std::unique_ptr<PeerPort>> Prepare(
      const StratadOptions& options, const Pause& pause,
      CombiningLoop* node_loop, NodeOptions* node, Logger* logger);
  ~PeerPort();

  // Adds what the node needs of it.
  void AddTo(NodeWorld* world);

  // Before Serve, if asked for: whether the node has the keys that others have.
  Status CheckHashes(Node* node);
  // Says who we are and listens. What takes long is done on the worker.
  Status Serve(const std::vector<ListenUrl>& urls, Node* node, Loop* worker);
  // Nobody is answered any more. Before the node is destroyed.
  void Shutdown();

  // The log's loop, which AddTo gives to the node.
  CombiningLoop* log() { return &log_; }

  std::vector<peer::PeerStats> Stats() const { return transport_->Stats(); }

  // What the cluster service wants to know of other members.
  ClusterServiceOptions ClusterOptions();

 private:
  PeerPort(std::unique_ptr<TlsContext> tls, CombiningLoop* node_loop,
           Logger* logger, const SnapshotSendOptions& snapshots);

  const std::unique_ptr<TlsContext> tls_;  // null: no https
  Logger* const logger_;
  bool strict_ = true;  // --strict-reconfig-check
  bool reuse_port_ = false;
  CombiningLoop log_{"log"};
  const std::unique_ptr<peer::PeerTransport> transport_;
  const std::unique_ptr<LeaderClient> leader_client_;
  IoThread thread_{"peer-port"};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Front> front_;
};

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_PEER_PORT_H_
