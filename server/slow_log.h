#ifndef STRATA_SERVER_SLOW_LOG_H_
#define STRATA_SERVER_SLOW_LOG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"

namespace strata {

// Lines about requests that took long, in etcd's words, so few a second that
// they do not make matters worse: what was not said is counted in the next one.
// Thread-safe.
class SlowLog {
 public:
  struct Step {
    std::string_view name;
    Duration took{};
  };

  // Of work that takes `expected`, what takes longer is told. Zero or less:
  // nothing is.
  SlowLog(Duration expected, Loop* clock, Logger* logger)
      : expected_(expected), clock_(clock), logger_(logger) {}

  Time Now() const { return clock_->Now(); }
  bool IsSlow(Duration took) const {
    return expected_ > Duration::zero() && took > expected_;
  }

  // "apply request took too long". `prefix`: "" or "read-only range ".
  // `describe` is called only if it is going to be told.
  void ApplyTook(Duration took, std::string_view prefix, const Status& status,
                 const std::function<std::string()>& describe);
  // A request's way as a whole, with what it spent its time on.
  void RequestTook(Duration took, const std::vector<Step>& steps,
                   const std::function<std::string()>& describe);
  // A call's way through a service: etcd's "request stats".
  void CallTook(Duration took, std::string_view method, uint64_t request_bytes,
                uint64_t response_bytes, const Status& status);

  uint64_t slow_applies() const {
    return slow_applies_.load(std::memory_order_relaxed);
  }

 private:
  // Whether one more may be said now, and how many were not before it.
  bool Take(uint64_t* left_out);

  const Duration expected_;
  Loop* const clock_;
  Logger* const logger_;
  std::atomic<uint64_t> slow_applies_{0};
  std::mutex mutex_;
  // Guarded by mutex_:
  Time second_ = {};  // of the lines counted
  int said_ = 0;
  uint64_t left_out_ = 0;
};

// As Go prints a duration: "1.5ms", "2.1s".
std::string GoDuration(Duration duration);

}  // namespace strata

#endif  // STRATA_SERVER_SLOW_LOG_H_
