#ifndef STRATA_CMD_DAEMON_LOGGER_H_
#define STRATA_CMD_DAEMON_LOGGER_H_

#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/status.h"

namespace strata {

enum class LogFormat { kJson, kConsole };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  // "default" and "stderr", "stdout", or paths of files that are appended to.
  std::vector<std::string> outputs = {"default"};
};

// Lines in the shape of etcd's logger, zap:
//   {"level":"info","ts":"2026-11-21T12:52:35.714Z","msg":"...","revision":7}
// or, for people, tab-separated with the fields as JSON at the end.
StatusOr<std::unique_ptr<Logger>> NewLogger(const LogOptions& options);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_LOGGER_H_
