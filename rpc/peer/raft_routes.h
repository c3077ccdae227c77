#ifndef STRATA_RPC_PEER_RAFT_ROUTES_H_
#define STRATA_RPC_PEER_RAFT_ROUTES_H_

#include <memory>
#include <optional>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "rpc/http/handler.h"
#include "rpc/peer/identity.h"
#include "rpc/peer/peer.h"
#include "rpc/peer/receiver_gate.h"
#include "rpc/peer/snapshot_receiver.h"

namespace strata::peer {

// What other members ask of us below /raft. Thread-safe.
class RaftRoutes {
 public:
  // What they belong to. Thread-safe.
  class Host {
   public:
    virtual ~Host() = default;
    // Nullopt: not known yet, or stopping.
    virtual std::optional<PeerIdentity> Self() const = 0;
    virtual std::shared_ptr<Peer> FindPeer(MemberId member) const = 0;
    // Somebody who is no member, as far as we know, says where it is.
    virtual void MeetStranger(const Sender& sender) = 0;
    virtual void Deliver(std::vector<raft::Message> messages) = 0;
  };

  // Snapshots that come are written on `disk`.
  RaftRoutes(Host* host, const ReceiverGate* gate, Loop* disk, Logger* logger)
      : host_(host),
        gate_(gate),
        disk_(disk),
        logger_(logger),
        broken_(std::make_shared<BrokenSnapshots>(disk)) {}

  std::vector<HttpRoute> Routes();

 private:
  using Sink = std::shared_ptr<HttpSink>;
  using Handler = std::shared_ptr<HttpHandler>;

  Handler OpenStream(const HttpRequest& request, const Sink& sink);
  Handler OpenSnapshot(const HttpRequest& request, const Sink& sink);
  void TellProgress(const HttpRequest& request, const HttpReply& reply);
  HttpResponse TakeMessage(const HttpRequest& request, std::string_view body);
  HttpResponse Probe(const HttpRequest& request) const;
  bool IsRemoved(MemberId member) const;
  // Who asks may be a member that we have not heard of yet.
  void Meet(const HttpRequest& request);

  Host* const host_;
  const ReceiverGate* const gate_;
  Loop* const disk_;
  Logger* const logger_;
  const std::shared_ptr<BrokenSnapshots> broken_;
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_RAFT_ROUTES_H_
