#ifndef STRATA_CMD_DAEMON_LOGGER_H_
#define STRATA_CMD_DAEMON_LOGGER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/status.h"

namespace strata {

enum class LogFormat { kJson, kConsole };

// --log-rotation-config-json.
struct LogRotation {
  uint64_t max_bytes = 100 << 20;
  size_t max_backups = 1000;
};

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  // "default" and "stderr", "stdout", or paths of files that are appended to.
  std::vector<std::string> outputs = {"default"};
  bool rotate = false;  // REQUIRES: `outputs` is one file
  LogRotation rotation = {};
};

// Of etcd's JSON: {"maxsize": 100, "maxbackups": 5}. InvalidArgument for what
// is no such thing, Unimplemented for the ages and the compression it has.
StatusOr<LogRotation> ParseLogRotation(const std::string& json);
// Whether there is one file to be rotated, if any is to be.
Status CheckLogRotation(const LogOptions& options);

// Lines in the shape of etcd's logger, zap:
//   {"level":"info","ts":"2026-11-21T12:52:35.714Z","msg":"...","revision":7}
// or, for people, tab-separated with the fields as JSON at the end.
StatusOr<std::unique_ptr<Logger>> NewLogger(const LogOptions& options);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_LOGGER_H_
