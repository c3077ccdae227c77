#ifndef STRATA_CMD_DAEMON_BOOTSTRAP_FLAGS_H_
#define STRATA_CMD_DAEMON_BOOTSTRAP_FLAGS_H_

#include <string>
#include <vector>

#include "base/status.h"
#include "cmd/daemon/flag_set.h"
#include "rpc/bootstrap/discovery.h"

namespace strata {

// How a new member finds its cluster, other than by --initial-cluster.
struct BootstrapFlags {
  std::string srv_domain = {};  // --discovery-srv; empty: not by DNS
  std::string srv_name = {};
  std::string dns_servers = {};  // empty: the system's
  DiscoveryOptions discovery = {};

  bool by_discovery() const { return !discovery.endpoints.empty(); }
  bool any() const { return !srv_domain.empty() || by_discovery(); }
};

void AddBootstrapFlags(BootstrapFlags* target, FlagSet* flags);

// What etcd refuses of them together.
Status CheckBootstrap(const BootstrapFlags& given, bool initial_cluster_given);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_BOOTSTRAP_FLAGS_H_
