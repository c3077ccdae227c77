#ifndef STRATA_CMD_DAEMON_IDLE_FLAGS_H_
#define STRATA_CMD_DAEMON_IDLE_FLAGS_H_

#include <string>
#include <vector>

#include "cmd/daemon/flag_set.h"

namespace strata {

// Adds the flags of any release of etcd that need nothing done here, so that a
// command line, an environment or a file of its starts us too. A value that
// asks for something that is not here is warned of; what cannot be passed over,
// as another way to find a cluster, is refused. `warnings` outlives the set.
void AddIdleFlags(std::vector<std::string>* warnings, FlagSet* flags);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_IDLE_FLAGS_H_
