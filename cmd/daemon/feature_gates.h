#ifndef STRATA_CMD_DAEMON_FEATURE_GATES_H_
#define STRATA_CMD_DAEMON_FEATURE_GATES_H_

#include <string>

#include "cmd/daemon/command_line.h"

namespace strata {

// --feature-gates of etcd 3.6 and later: "LeaseCheckpoint=true,...". Those that
// have something to switch here do; the others are taken. Unknown ones and
// values that are no truth are refused, in etcd's words.
Status TakeFeatureGates(const std::string& gates, StratadOptions* options);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_FEATURE_GATES_H_
