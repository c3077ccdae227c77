#ifndef STRATA_CMD_DAEMON_SERVE_H_
#define STRATA_CMD_DAEMON_SERVE_H_

#include <functional>

#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "cmd/daemon/command_line.h"

namespace strata {

// Opens the directory and serves it until `wait` returns, then lets the calls
// that are being served end, and closes. `wait` is called when all listens.
// `pause` waits for so long, while the start waits for other members; true: the
// process is to end. `on_fatal`: the node cannot go on; must end the process.
Status Serve(const StratadOptions& options, Logger* logger,
             const std::function<bool(Duration)>& pause,
             const std::function<void()>& wait,
             const std::function<void(const Status&)>& on_fatal);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_SERVE_H_
