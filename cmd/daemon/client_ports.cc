#include "cmd/daemon/client_ports.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "base/env.h"
#include "rpc/gateway/gateway.h"

namespace strata {
namespace {

uint64_t FileLimit() {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

std::vector<HttpRoute> ClientRoutes(const StratadOptions& options, Node* node,
                                    Services* services, PlainHttp* plain) {
  std::vector<HttpRoute> routes =
      GatewayRoutes({.level = node->level(),
                     .max_request_bytes = options.grpc.max_request_bytes},
                    services->Methods(), services->Streams());
  std::ranges::move(plain->Routes(), std::back_inserter(routes));
  return routes;
}

void LogServing(const ListenUrl& url, std::string_view what, Logger* logger) {
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

ClientPorts::ClientPorts(Node* node, Loop* timer, Logger* logger)
    : plain_({.node = node,
              .loop = timer,
              .logger = logger,
              .file_descriptor_limit = FileLimit()}) {}

ClientPorts::~ClientPorts() = default;

StatusOr<std::unique_ptr<ClientPorts>> ClientPorts::Open(
    const StratadOptions& options, Node* node, Services* services,
    CombiningLoop* node_loop, Loop* timer, Logger* logger) {
  std::unique_ptr<ClientPorts> ports(new ClientPorts(node, timer, logger));
  const Status started =
      ports->Start(options, node, services, node_loop, logger);
  if (!started.ok()) {
    ports->Shutdown(Duration::zero());
    return started;
  }
  return ports;
}

Status ClientPorts::Start(const StratadOptions& options, Node* node,
                          Services* services, CombiningLoop* node_loop,
                          Logger* logger) {
  ASSIGN_OR_RETURN(grpc_, GrpcServer::Start(options.grpc, services->Methods(),
                                            services->Streams(), node_loop));
  http_ =
      HttpServer::New(&thread_, ClientRoutes(options, node, services, &plain_));
  metrics_ = HttpServer::New(&thread_, plain_.MetricsRoutes());
  const FrontOptions front = {
      .listen = {.env = Env::Posix(), .logger = logger}};
  ASSIGN_OR_RETURN(front_, Front::Start(&thread_, front, Addresses(options)));
  logger->Info("ready to serve client requests");
  const bool split = !options.client_http_urls.empty();
  for (const ListenUrl& url : options.client_urls) {
    LogServing(url, split ? "grpc" : "grpc+http", logger);
  }
  for (const ListenUrl& url : options.client_http_urls) {
    LogServing(url, "http", logger);
  }
  for (const ListenUrl& url : options.metrics_urls) {
    LogServing(url, "metrics", logger);
  }
  return Status::Ok();
}

std::vector<FrontAddress> ClientPorts::Addresses(
    const StratadOptions& options) const {
  std::vector<FrontAddress> addresses;
  const auto add = [&](const ListenUrl& url, GrpcServer* grpc,
                       HttpServer* http) {
    addresses.push_back({.address = url.address, .grpc = grpc, .http = http});
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

void ClientPorts::Shutdown(Duration grace) {
  if (front_ != nullptr) front_->Shutdown();
  if (grpc_ != nullptr) grpc_->Shutdown(grace);
  if (http_ != nullptr) http_->Shutdown(grace);
  if (metrics_ != nullptr) metrics_->Shutdown(grace);
}

}  // namespace strata
