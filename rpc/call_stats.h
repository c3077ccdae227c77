#ifndef STRATA_RPC_CALL_STATS_H_
#define STRATA_RPC_CALL_STATS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "rpc/stream.h"
#include "rpc/unary.h"
#include "server/slow_log.h"

namespace strata {

// What was done with one method, in the words of Go's gRPC metrics.
// Thread-safe.
struct CallStats {
  static constexpr size_t kCodes = 17;  // Code's

  // Of "/etcdserverpb.KV/Range". CHECKs that the API has it.
  explicit CallStats(std::string_view path);

  std::string service;
  std::string method;
  std::string type;  // unary, server_stream or bidi_stream

  std::atomic<uint64_t> started{0};
  std::array<std::atomic<uint64_t>, kCodes> handled = {};
  std::atomic<uint64_t> received{0};  // messages
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> received_bytes{0};
  std::atomic<uint64_t> sent_bytes{0};
};

// Counts calls on their way to their methods, whichever transport they came by,
// and tells of unary ones that took longer than `warning_duration` (0: of
// none). Outlives what it gave.
class CallObserver {
 public:
  CallObserver(Duration warning_duration, Loop* clock, Logger* logger)
      : slow_log_(warning_duration, clock, logger) {}

  std::vector<UnaryMethod> Observe(std::vector<UnaryMethod> methods);
  std::vector<StreamMethod> Observe(std::vector<StreamMethod> streams);

  const std::vector<std::unique_ptr<CallStats>>& stats() const {
    return stats_;
  }

 private:
  CallStats* Add(std::string_view path);

  SlowLog slow_log_;
  std::vector<std::unique_ptr<CallStats>> stats_;
};

}  // namespace strata

#endif  // STRATA_RPC_CALL_STATS_H_
