#ifndef STRATA_CMD_DAEMON_BOOTSTRAP_H_
#define STRATA_CMD_DAEMON_BOOTSTRAP_H_

#include <string>

#include "base/logger.h"
#include "base/status.h"
#include "cmd/daemon/bootstrap_flags.h"
#include "rpc/tls.h"
#include "server/node.h"

namespace strata {

// Finds who a new member's cluster is, as the flags say, and puts it into
// `options`: the initial cluster, and with discovery its token. Blocks until
// the others have turned up too; `pause` says when to give up.
Status FindCluster(const BootstrapFlags& flags, const Pause& pause,
                   NodeOptions* options, Logger* logger);

// For whom the certificates of the other members have to be, as etcd has it:
// for the domain of --discovery-srv while the cluster that it named is made, if
// that has https and --peer-trusted-ca-file names nobody who vouches for them.
// Empty: for the hosts of their URLs, as after a restart.
std::string PeerServerName(const BootstrapFlags& flags,
                           const std::string& initial_cluster,
                           const TlsOptions& tls);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_BOOTSTRAP_H_
