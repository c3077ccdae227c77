#include "cmd/daemon/bootstrap.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "rpc/bootstrap/srv_cluster.h"
#include "server/identity.h"

namespace strata {
namespace {

// Of each DNS server, each time it is asked.
constexpr Duration kDnsTimeout = std::chrono::seconds(2);

Status FindByDns(const BootstrapFlags& flags, NodeOptions* options,
                 Logger* logger) {
  ASSIGN_OR_RETURN(const auto dns, Dns::New(flags.dns_servers, kDnsTimeout));
  ASSIGN_OR_RETURN(options->initial_cluster,
                   FindSrvCluster(dns.get(),
                                  {.domain = flags.srv_domain,
                                   .service_suffix = flags.srv_name,
                                   .name = options->name,
                                   .advertise_peer_urls =
                                       options->initial_advertise_peer_urls},
                                  logger));
  ASSIGN_OR_RETURN(const auto members,
                   ParseInitialCluster(options->initial_cluster,
                                       options->initial_cluster_token));
  // The URLs that we advertise are the same place; what DNS calls it counts,
  // for the others know no other name.
  const auto self =
      std::ranges::find(members, options->name, &MemberRecord::name);
  if (self != members.end()) {
    options->initial_advertise_peer_urls = self->peer_urls;
  }
  return Status::Ok();
}

Status FindByDiscovery(const DiscoveryOptions& discovery, const Pause& pause,
                       NodeOptions* options, Logger* logger) {
  std::vector<std::string> urls = options->initial_advertise_peer_urls;
  std::ranges::sort(urls);
  std::string self;
  for (const std::string& url : urls) {
    self += (self.empty() ? "" : ",") + options->name + "=" + url;
  }
  ASSIGN_OR_RETURN(const auto registry,
                   Registry::Connect(Env::Posix(), discovery));
  auto cluster =
      JoinByDiscovery(registry.get(), discovery.token,
                      MakeMemberId(urls, discovery.token), self, pause, logger);
  if (!cluster.ok()) return cluster.status().WithContext("failed to join");
  logger->Info("discovery joined cluster successfully",
               {{"cluster", *cluster}});
  options->initial_cluster = *std::move(cluster);
  options->initial_cluster_token = discovery.token;
  return Status::Ok();
}

}  // namespace

Status FindCluster(const BootstrapFlags& flags, const Pause& pause,
                   NodeOptions* options, Logger* logger) {
  if (!flags.srv_domain.empty()) return FindByDns(flags, options, logger);
  if (!flags.by_discovery()) return Status::Ok();
  return FindByDiscovery(flags.discovery, pause, options, logger);
}

std::string PeerServerName(const BootstrapFlags& flags,
                           const std::string& initial_cluster,
                           const TlsOptions& tls) {
  const bool https = initial_cluster.find("https://") != std::string::npos;
  return https && tls.trusted_ca_file.empty() ? flags.srv_domain : "";
}

}  // namespace strata
