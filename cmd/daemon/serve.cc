#include "cmd/daemon/serve.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/combining_loop.h"
#include "base/env.h"
#include "base/loop.h"
#include "base/strings.h"
#include "cmd/daemon/client_ports.h"
#include "cmd/daemon/peer_port.h"
#include "rpc/services.h"
#include "rpc/tls.h"
#include "server/node.h"

namespace strata {
namespace {

// Calls that have not ended this long after the signal are cut off.
constexpr Duration kGrace = std::chrono::seconds(10);

void LogStart(const StratadOptions& options, Logger* logger) {
  for (const std::string& warning : options.warnings) logger->Warn(warning);
  logger->Info("starting strata",
               {{"name", options.node.name},
                {"data-dir", options.node.data_dir},
                {"listen-client-urls", JoinCommas(options.listen_client_urls)},
                {"advertise-client-urls",
                 JoinCommas(options.node.advertise_client_urls)}});
  if (!options.node.fsync) {
    logger->Warn("--unsafe-no-fsync: a power loss will lose data");
  }
}

// Read before anything of the directory is: an error in them changes nothing.
StatusOr<std::unique_ptr<TlsContext>> OpenClientTls(
    const StratadOptions& options, int64_t wall_now, Logger* logger) {
  std::vector<ListenUrl> urls = options.client_urls;
  urls.insert(urls.end(), options.client_http_urls.begin(),
              options.client_http_urls.end());
  urls.insert(urls.end(), options.metrics_urls.begin(),
              options.metrics_urls.end());
  return OpenTls(options.client_tls, options.tls, urls,
                 JoinPath(options.node.data_dir, "fixtures/client"),
                 Env::Posix(), wall_now, logger);
}

// Other members, if there are any.
Status ServePeers(const StratadOptions& options, PeerPort* peers, Node* node,
                  Loop* hasher) {
  if (peers == nullptr) return Status::Ok();
  if (options.initial_corrupt_check) {
    RETURN_IF_ERROR(peers->CheckHashes(node));
  }
  return peers->Serve(options.peer_urls, node, hasher);
}

// As --bootstrap-defrag-threshold-megabytes; it goes on while we serve.
void ShrinkAtStart(const StratadOptions& options, Node* node, Logger* logger) {
  const BackendSizes sizes = node->store()->Sizes();
  const uint64_t least = options.defrag_at_start_megabytes << 20;
  if (least == 0 || sizes.file_bytes < sizes.in_use_bytes + least) return;
  logger->Info("making the backend's file shorter",
               {{"bytes", sizes.file_bytes}, {"in-use", sizes.in_use_bytes}});
  node->store()->Shrink(nullptr, [logger](const auto& progress) {
    if (progress.ok()) return;
    logger->Warn("could not make the backend's file shorter",
                 {{"error", progress.status()}});
  });
}

// Serves an open node.
Status ServeNode(const StratadOptions& options, const ServiceLoops& loops,
                 PeerPort* peers, ClientPorts::Parts parts,
                 const std::function<void()>& wait) {
  Services services(
      parts.node, loops, options.kv,
      {.max_request_bytes = options.grpc.max_request_bytes},
      peers == nullptr ? ClusterServiceOptions() : peers->ClusterOptions());
  parts.services = &services;
  if (peers != nullptr) parts.peers = [peers] { return peers->Stats(); };
  ASSIGN_OR_RETURN(const std::unique_ptr<ClientPorts> ports,
                   ClientPorts::Open(options, parts));
  wait();
  parts.logger->Info("stopping: finishing the calls that are being served");
  ports->Shutdown(kGrace);
  return Status::Ok();
}

}  // namespace

Status Serve(const StratadOptions& options, Logger* logger,
             const std::function<bool(Duration)>& pause,
             const std::function<void()>& wait,
             const std::function<void(const Status&)>& on_fatal) {
  LogStart(options, logger);
  CombiningLoop loop("node");
  ASSIGN_OR_RETURN(const std::unique_ptr<TlsContext> tls,
                   OpenClientTls(options, loop.WallNow(), logger));
  NodeOptions node_options = options.node;
  std::unique_ptr<PeerPort> peers;
  if (options.serve_peers) {
    ASSIGN_OR_RETURN(
        peers, PeerPort::Prepare(options, pause, &loop, &node_options, logger));
  }
  const auto flusher = NewThreadedLoop("flusher");
  const auto background = NewThreadedLoop("background");
  // Long reads, which are not to hold up the short ones and the writes.
  auto worker = NewThreadedLoop("worker", ThreadPriority::kLow);
  // Hashes of the whole store, which the long reads are not to wait for.
  auto hasher = NewThreadedLoop("hasher", ThreadPriority::kLow);
  const auto watch_pump = NewThreadedLoop("watch-pump");
  const auto compactor = options.node.backend == BackendKind::kLevelDb
                             ? NewThreadedLoop("compactor")
                             : nullptr;
  NodeWorld world = {.env = Env::Posix(),
                     .loop = &loop,
                     .flusher = flusher.get(),
                     .background = background.get(),
                     .compactor = compactor.get(),
                     .helper = hasher.get(),
                     .watch_pump = watch_pump.get(),
                     .logger = logger,
                     .on_fatal = on_fatal};
  if (peers != nullptr) peers->AddTo(&world);
  ASSIGN_OR_RETURN(const std::unique_ptr<Node> node,
                   Node::Open(node_options, world));
  ShrinkAtStart(options, node.get(), logger);
  auto copier = NewThreadedLoop("copier", ThreadPriority::kLow);
  auto claims = NewThreadedLoop("claims");
  Status served = ServePeers(options, peers.get(), node.get(), hasher.get());
  if (served.ok()) {
    served =
        ServeNode(options,
                  {.worker = worker.get(),
                   .hasher = hasher.get(),
                   .copier = copier.get(),
                   .claims = claims.get()},
                  peers.get(),
                  {.node = node.get(),
                   .loops = {.node = &loop,
                             .log = peers == nullptr ? nullptr : peers->log()},
                   .timer = claims.get(),
                   .tls = tls.get(),
                   .logger = logger},
                  wait);
  }
  const Status stopped = node->Stop();
  if (peers != nullptr) peers->Shutdown();
  // What they still have to do asks the node, which refuses.
  claims.reset();
  copier.reset();
  worker.reset();
  hasher.reset();
  logger->Info("stopped", {{"data-dir", options.node.data_dir}});
  return served.ok() ? stopped : served;
}

}  // namespace strata
