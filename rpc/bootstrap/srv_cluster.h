#ifndef STRATA_RPC_BOOTSTRAP_SRV_CLUSTER_H_
#define STRATA_RPC_BOOTSTRAP_SRV_CLUSTER_H_

#include <string>
#include <vector>

#include "base/logger.h"
#include "base/status.h"
#include "rpc/bootstrap/dns.h"

namespace strata {

// --discovery-srv: the members of a new cluster are what DNS says of the
// services _etcd-server-ssl._tcp.DOMAIN (https) and _etcd-server._tcp.DOMAIN
// (http), together.
struct SrvRequest {
  std::string domain = {};
  std::string service_suffix = {};  // --discovery-srv-name: "_etcd-server-NAME"
  std::string name = {};            // of this member
  std::vector<std::string> advertise_peer_urls = {};
};

// In the form of --initial-cluster. This member is the one whose address is
// that of a URL it advertises; the others, whose names are not known, are
// called 0, 1 and so on. Blocks. Errors are etcd's.
StatusOr<std::string> FindSrvCluster(Dns* dns, const SrvRequest& request,
                                     Logger* logger);

}  // namespace strata

#endif  // STRATA_RPC_BOOTSTRAP_SRV_CLUSTER_H_
