#ifndef STRATA_RPC_H2_PING_GUARD_H_
#define STRATA_RPC_H2_PING_GUARD_H_

#include <chrono>

#include "base/loop.h"

namespace strata {

// Which clients ping too often, by the rules of a Go server of gRPC (its
// keepalive.EnforcementPolicy): those whose third ping in a row came sooner
// than it may after the one before. What the server sends on a call is worth a
// ping without reproach, as clients measure the path when there is data.
class PingGuard {
 public:
  explicit PingGuard(Duration min_time) : min_time_(min_time) {}

  // A ping came. Whether it is one too many: the connection is to be ended.
  bool Ping(Time now, bool has_calls) {
    const Duration min = has_calls ? min_time_ : kWithoutCalls;
    const bool excused = sent_;
    const bool early = pinged_ && now < last_ + min;
    last_ = now;
    pinged_ = true;
    sent_ = false;
    if (excused) strikes_ = 0;
    return !excused && early && ++strikes_ > kMaxStrikes;
  }

  // Headers or data of a call were sent.
  void Sent() { sent_ = true; }

 private:
  static constexpr int kMaxStrikes = 2;
  static constexpr Duration kWithoutCalls = std::chrono::hours(2);

  const Duration min_time_;
  Time last_ = {};
  bool pinged_ = false;
  bool sent_ = false;  // since the last ping
  int strikes_ = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_H2_PING_GUARD_H_
