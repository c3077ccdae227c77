#include "cmd/daemon/peer_port.h"

#include <utility>

#include "base/env.h"
#include "base/random.h"
#include "cmd/daemon/values.h"
#include "rpc/peer/join.h"
#include "rpc/peer/leader_client.h"
#include "rpc/peer/member_routes.h"
#include "server/data_dir.h"
#include "server/identity.h"

namespace strata {
namespace {

// A member that takes nothing for so long is cut off, and dials again.
constexpr Duration kWriteTimeout = std::chrono::seconds(5);
constexpr Duration kGrace = std::chrono::seconds(1);
// A snapshot's sender may have to read for long before the next piece.
constexpr Duration kBodyTimeout = std::chrono::seconds(60);

// Fills in who is in the cluster, for a member that has no directory yet.
Status Join(peer::HttpClient* client, bool join_existing, NodeOptions* options,
            Logger* logger) {
  if (options->initial_cluster.empty()) return Status::Ok();
  ASSIGN_OR_RETURN(auto members,
                   ParseInitialCluster(options->initial_cluster,
                                       options->initial_cluster_token));
  RETURN_IF_ERROR(FindLocalMember(members, options->name,
                                  options->initial_advertise_peer_urls)
                      .status());
  const peer::JoinRequest request = {.name = options->name,
                                     .initial_cluster = std::move(members)};
  if (!join_existing) return peer::CheckNotStartedBefore(client, request);
  ASSIGN_OR_RETURN(const peer::JoinedCluster joined,
                   peer::JoinCluster(client, request, logger));
  options->join = joined.cluster;
  if (!options->level.has_value()) options->level = joined.level;
  return Status::Ok();
}

}  // namespace

PeerPort::PeerPort(std::unique_ptr<TlsContext> tls, CombiningLoop* node_loop,
                   Logger* logger, const SnapshotSendOptions& snapshots)
    : tls_(std::move(tls)),
      logger_(logger),
      transport_(peer::PeerTransport::New(logger, tls_.get(), snapshots,
                                          {.node = node_loop, .log = &log_})),
      leader_client_(peer::NewLeaderClient(transport_.get())) {}

PeerPort::~PeerPort() { Shutdown(); }

StatusOr<std::unique_ptr<PeerPort>> PeerPort::Prepare(
    const StratadOptions& options, const Pause& pause, CombiningLoop* node_loop,
    NodeOptions* node, Logger* logger) {
  TlsFlags flags = options.peer_tls;
  const auto open_tls = [&] {
    return OpenTls(flags, options.tls, options.peer_urls,
                   JoinPath(options.node.data_dir, "fixtures/peer"),
                   Env::Posix(), node_loop->WallNow(), logger);
  };
  // First: with files that are of no use nobody is told of this member.
  ASSIGN_OR_RETURN(std::unique_ptr<TlsContext> tls, open_tls());
  const bool is_new = !Env::Posix()->Exists(DataPaths(*node).wal);
  if (is_new) {
    RETURN_IF_ERROR(FindCluster(options.bootstrap, pause, node, logger));
    flags.options.server_name =
        PeerServerName(options.bootstrap, node->initial_cluster, flags.options);
    if (!flags.options.server_name.empty()) {
      ASSIGN_OR_RETURN(tls, open_tls());
    }
  } else if (options.bootstrap.any()) {
    logger->Info("there are data: who is in the cluster is not looked for");
  }
  std::unique_ptr<PeerPort> port(
      new PeerPort(std::move(tls), node_loop, logger, node->snapshot_send));
  port->strict_ = node->strict_reconfig_check;
  port->reuse_port_ = options.reuse_port;
  if (is_new) {
    RETURN_IF_ERROR(
        Join(port->transport_->client(), options.join_existing, node, logger));
  }
  return port;
}

void PeerPort::AddTo(NodeWorld* world) {
  world->transport = transport_.get();
  world->leader_client = leader_client_.get();
  world->log = &log_;
  world->random_seed = Random::SeedFromSystem();
}

Status PeerPort::CheckHashes(Node* node) {
  return peer::CheckInitialHashes(node, transport_->client(), logger_);
}

Status PeerPort::Serve(const std::vector<ListenUrl>& urls, Node* node,
                       Loop* worker) {
  std::vector<std::string> advertised;
  const Membership membership = node->membership();
  if (const auto self = membership.members.find(node->member_id());
      self != membership.members.end()) {
    advertised = self->second.peer_urls;
  }
  transport_->Identify({.member = node->member_id(),
                        .cluster = node->cluster_id(),
                        .version = node->level().ClusterVersion(),
                        .peer_urls = std::move(advertised)});
  std::vector<HttpRoute> routes = transport_->Routes();
  for (HttpRoute& route : peer::MemberRoutes(node, worker)) {
    routes.push_back(std::move(route));
  }
  server_ = HttpServer::New(
      &thread_, std::move(routes),
      {.body_timeout = kBodyTimeout, .write_timeout = kWriteTimeout});
  std::vector<FrontAddress> addresses;
  for (const ListenUrl& url : urls) {
    addresses.push_back({.address = url.address,
                         .http = server_.get(),
                         .plain = !url.tls,
                         .tls = url.tls ? tls_.get() : nullptr});
    logger_->Info("serving peer traffic", {{"url", url.url}});
  }
  ASSIGN_OR_RETURN(front_, Front::Start(&thread_,
                                        {.listen = {.env = Env::Posix(),
                                                    .logger = logger_,
                                                    .reuse_port = reuse_port_}},
                                        addresses));
  return Status::Ok();
}

ClusterServiceOptions PeerPort::ClusterOptions() {
  return {.is_active =
              [this](MemberId member) { return transport_->Active(member); },
          .probe =
              [this](const std::vector<std::string>& urls,
                     std::function<void(const Status&)> done) {
                peer::Probe(transport_->client(), urls, std::move(done));
              },
          .strict = strict_};
}

void PeerPort::Shutdown() {
  if (front_ != nullptr) front_->Shutdown();
  if (server_ != nullptr) server_->Shutdown(kGrace);
  front_ = nullptr;
  server_ = nullptr;
}

}  // namespace strata
