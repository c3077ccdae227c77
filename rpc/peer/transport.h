#ifndef STRATA_RPC_PEER_TRANSPORT_H_
#define STRATA_RPC_PEER_TRANSPORT_H_

#include <memory>
#include <optional>
#include <vector>

#include "base/logger.h"
#include "rpc/http/handler.h"
#include "rpc/node_loops.h"
#include "rpc/peer/http_client.h"
#include "rpc/peer/identity.h"
#include "rpc/peer/stats.h"
#include "server/transport.h"

namespace strata::peer {

// The transport between real members: etcd's peer protocol (format.md) over
// HTTP/1.1. It dials; what others ask of it comes through Routes(), which the
// peer port has to serve.
class PeerTransport : public Transport {
 public:
  // `tls` is for members with https URLs, and outlives the transport; null:
  // there are none. The readers of streams run `loops` with what they bring:
  // all of them the node's, those of appends the log's too.
  static std::unique_ptr<PeerTransport> New(
      Logger* logger, TlsContext* tls = nullptr,
      const SnapshotSendOptions& snapshots = {}, const NodeLoops& loops = {});

  // Who we are. Before that nothing is sent, and requests are answered with
  // 503. Any thread, once.
  virtual void Identify(const PeerIdentity& self) = 0;

  // The paths below /raft; they must not be asked any more when the transport
  // is destroyed.
  virtual std::vector<HttpRoute> Routes() = 0;

  // For how long messages have gone both ways; nullopt: they do not.
  virtual std::optional<Duration> ActiveFor(MemberId member) const = 0;
  virtual std::vector<PeerStats> Stats() const = 0;
  // Empty: not known.
  virtual std::vector<std::string> UrlsOf(MemberId member) const = 0;
  // For other requests to members.
  virtual HttpClient* client() = 0;
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_TRANSPORT_H_
