#ifndef STRATA_RPC_NET_RARE_LOG_H_
#define STRATA_RPC_NET_RARE_LOG_H_

#include <cstdint>
#include <utility>

#include "base/loop.h"

namespace strata {

// Keeps what clients can cause at will from filling the log. Used by one
// thread.
class RareLog {
 public:
  explicit RareLog(Duration interval) : interval_(interval) {}

  // Whether to say it now; `left_out` is how often it was not said before.
  bool Due(Time now, uint64_t* left_out) {
    if (now < next_) {
      ++left_out_;
      return false;
    }
    next_ = now + interval_;
    *left_out = std::exchange(left_out_, 0);
    return true;
  }

 private:
  const Duration interval_;
  Time next_ = Time::min();
  uint64_t left_out_ = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_NET_RARE_LOG_H_
