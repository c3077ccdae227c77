#include "cmd/daemon/client_ports.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "base/env.h"
#include "rpc/gateway/gateway.h"
#include "rpc/http/access.h"
#include "rpc/metrics.h"

namespace strata {
namespace {

uint64_t FileLimit() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

// The gateway, if it is to be, and the plain paths.
std::vector<HttpRoute> ClientRoutes(const StratadOptions& options, Level level,
                                    const std::vector<UnaryMethod>& methods,
                                    const std::vector<StreamMethod>& streams,
                                    Loop* timer, PlainHttp* plain) {
  std::vector<HttpRoute> routes = plain->Routes();
  if (options.http.gateway) {
    std::ranges::move(
        GatewayRoutes({.level = level,
                       .loop = timer,
                       .max_request_bytes = options.grpc.max_request_bytes},
                      methods, streams),
        std::back_inserter(routes));
  }
  return WithAccess(options.http.access, std::move(routes));
}

void LogUrl(const ListenUrl& url, std::string_view what, Logger* logger) {
  if (url.tls) {
    logger->Info("serving traffic securely",
                 {{"traffic", what}, {"address", url.address}});
  } else {
    logger->Info(
        "serving traffic insecurely; anyone who can connect may read and write",
        {{"traffic", what}, {"address", url.address}});
  }
}

}  // namespace

ClientPorts::ClientPorts(const StratadOptions& options, const Parts& parts)
    : parts_(parts),
      calls_(options.warning_unary_duration, parts.timer, parts.logger),
      plain_({.node = parts.node,
              .loop = parts.timer,
              .logger = parts.logger,
              .metrics = [this] { return MetricsPage(); },
              .command_line = options.command_line,
              .file_descriptor_limit = FileLimit()}) {}

ClientPorts::~ClientPorts() = default;

StatusOr<std::unique_ptr<ClientPorts>> ClientPorts::Open(
    const StratadOptions& options, const Parts& parts) {
  std::unique_ptr<ClientPorts> ports(new ClientPorts(options, parts));
  const Status started = ports->Start(options);
  if (!started.ok()) {
    ports->Shutdown(Duration::zero());
    return started;
  }
  return ports;
}

Status ClientPorts::Start(const StratadOptions& options) {
  Node* const node = parts_.node;
  const std::vector<UnaryMethod> methods =
      calls_.Observe(parts_.services->Methods());
  const std::vector<StreamMethod> streams =
      calls_.Observe(parts_.services->Streams());
  GrpcServerOptions grpc = options.grpc;
  const auto has_leader = [node] {
    return node->replication().leader != MemberId();
  };
  // etcd serves nobody before it has found a leader; who asks for one as soon
  // as we serve is not to hear that there is none.
  Loop* const timer = parts_.timer;
  const Time found_until =
      timer->Now() + LeaderMonitor::kTimeouts * options.node.election_timeout;
  const auto found = std::make_shared<std::atomic<bool>>(false);
  grpc.has_leader = [has_leader, timer, found_until, found] {
    const bool has = has_leader();
    if (has) *found = true;
    return has || (!*found && timer->Now() < found_until);
  };
  ASSIGN_OR_RETURN(grpc_,
                   GrpcServer::Start(grpc, methods, streams, parts_.loops));
  monitor_ = std::make_unique<LeaderMonitor>(
      parts_.timer, options.node.election_timeout, has_leader,
      [this] { grpc_->FinishStreamsForLeader(); });
  http_ =
      HttpServer::New(&thread_, ClientRoutes(options, node->level(), methods,
                                             streams, parts_.timer, &plain_));
  metrics_ = HttpServer::New(
      &thread_, WithAccess(options.http.access, plain_.MetricsRoutes()));
  const FrontOptions front = {.listen = {.env = Env::Posix(),
                                         .logger = parts_.logger,
                                         .reuse_port = options.reuse_port}};
  ASSIGN_OR_RETURN(front_, Front::Start(&thread_, front, Addresses(options)));
  LogServing(options);
  return Status::Ok();
}

void ClientPorts::LogServing(const StratadOptions& options) const {
  parts_.logger->Info("ready to serve client requests");
  const bool split = !options.client_http_urls.empty();
  for (const ListenUrl& url : options.client_urls) {
    LogUrl(url, split ? "grpc" : "grpc+http", parts_.logger);
  }
  for (const ListenUrl& url : options.client_http_urls) {
    LogUrl(url, "http", parts_.logger);
  }
  for (const ListenUrl& url : options.metrics_urls) {
    LogUrl(url, "metrics", parts_.logger);
  }
}

std::vector<FrontAddress> ClientPorts::Addresses(
    const StratadOptions& options) const {
  std::vector<FrontAddress> addresses;
  const auto add = [&](const ListenUrl& url, GrpcServer* grpc,
                       HttpServer* http) {
    // As etcd: http and https of one address share it.
    for (FrontAddress& address : addresses) {
      if (address.address != url.address) continue;
      address.plain = address.plain || !url.tls;
      if (url.tls) address.tls = parts_.tls;
      return;
    }
    addresses.push_back({.address = url.address,
                         .grpc = grpc,
                         .http = http,
                         .plain = !url.tls,
                         .tls = url.tls ? parts_.tls : nullptr});
  };
  const bool split = !options.client_http_urls.empty();
  for (const ListenUrl& url : options.client_urls) {
    add(url, grpc_.get(), split ? nullptr : http_.get());
  }
  for (const ListenUrl& url : options.client_http_urls) {
    add(url, nullptr, http_.get());
  }
  for (const ListenUrl& url : options.metrics_urls) {
    add(url, nullptr, metrics_.get());
  }
  return addresses;
}

std::string ClientPorts::MetricsPage() const {
  return MetricsText({.node = parts_.node,
                      .calls = &calls_,
                      .health = [this] { return plain_.counts(); },
                      .peers = parts_.peers});
}

void ClientPorts::Shutdown(Duration grace) {
  monitor_.reset();
  if (front_ != nullptr) front_->Shutdown();
  if (grpc_ != nullptr) grpc_->Shutdown(grace);
  if (http_ != nullptr) http_->Shutdown(grace);
  if (metrics_ != nullptr) metrics_->Shutdown(grace);
}

}  // namespace strata
