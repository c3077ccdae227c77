#ifndef STRATA_CMD_DAEMON_BOOTSTRAP_H_
#define STRATA_CMD_DAEMON_BOOTSTRAP_H_

#include "base/logger.h"
#include "base/status.h"
#include "cmd/daemon/bootstrap_flags.h"
#include "server/node.h"

namespace strata {

// Finds who a new member's cluster is, as the flags say, and puts it into
// `options`: the initial cluster, and with discovery its token. Blocks until
// the others have turned up too; `pause` says when to give up.
Status FindCluster(const BootstrapFlags& flags, const Pause& pause,
                   NodeOptions* options, Logger* logger);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_BOOTSTRAP_H_
