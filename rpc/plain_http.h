#ifndef STRATA_RPC_PLAIN_HTTP_H_
#define STRATA_RPC_PLAIN_HTTP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "rpc/http/handler.h"
#include "server/node.h"

namespace strata {

struct PlainHttpOptions {
  Node* node = nullptr;
  Loop* loop = nullptr;  // times the checks
  Logger* logger = Logger::Null();
  // The text of /metrics, in Prometheus' format; null: there is no such path.
  std::function<std::string()> metrics = nullptr;
  // For /debug/vars; without the program's name.
  std::vector<std::string> command_line = {};
  uint64_t file_descriptor_limit = 0;
};

// What was found by those who asked for our health.
struct HealthCounts {
  struct Check {
    bool ok = false;  // the last time
    uint64_t succeeded = 0;
    uint64_t failed = 0;
  };

  uint64_t succeeded = 0;  // of /health
  uint64_t failed = 0;
  std::map<std::pair<std::string, std::string>, Check> checks;  // type, name
};

// The paths that need no protocol but HTTP, as etcd answers them: /health,
// /livez and /readyz with their checks, /version, /metrics, /debug/vars.
// Thread-safe; outlives its routes.
class PlainHttp {
 public:
  explicit PlainHttp(PlainHttpOptions options);

  std::vector<HttpRoute> Routes();
  // Those of --listen-metrics-urls: /metrics and what tells of health.
  std::vector<HttpRoute> MetricsRoutes();

  HealthCounts counts() const;

 private:
  // Finds out, and calls back once, on any thread.
  using Check = std::function<void(std::function<void(const Status&)>)>;
  struct NamedCheck {
    std::string name;
    Check run;
  };
  struct Report;

  void ServeHealth(const HttpRequest& request, const HttpReply& reply);
  void AnswerHealth(const std::string& reason, const HttpReply& reply);
  void AddChecks(const std::string& type, const std::vector<NamedCheck>& checks,
                 std::vector<HttpRoute>* routes);
  HttpRoute CheckRoute(const std::string& path, const std::string& type,
                       std::vector<NamedCheck> checks);
  void RunChecks(const std::string& type, std::vector<NamedCheck> checks,
                 std::function<void(const Report&)> done);
  void Read(bool serializable,
            const std::function<void(const Status&)>& done) const;
  // As Read, but for no longer than a request may take.
  void ReadInTime(bool serializable,
                  std::function<void(const Status&)> done) const;
  std::string VersionText() const;
  std::string DebugVars() const;
  void Count(const std::string& type, const std::string& name, bool ok);

  const PlainHttpOptions options_;
  mutable std::mutex mutex_;
  HealthCounts counts_;  // guarded by mutex_
};

}  // namespace strata

#endif  // STRATA_RPC_PLAIN_HTTP_H_
