#ifndef STRATA_RPC_LEADER_MONITOR_H_
#define STRATA_RPC_LEADER_MONITOR_H_

#include <functional>
#include <memory>

#include "base/loop.h"

namespace strata {

// Looks for a leader once an election timeout, and notices when it has found
// none three times in a row, as etcd does before it ends the streams that ask
// for one. Thread-safe.
class LeaderMonitor {
 public:
  static constexpr int kTimeouts = 3;

  // `lost` is called on `loop`, once for each such time.
  LeaderMonitor(Loop* loop, Duration election_timeout,
                std::function<bool()> has_leader, std::function<void()> lost);
  // Neither function is called after it has returned. Not on the loop.
  ~LeaderMonitor();

 private:
  struct State;

  const std::shared_ptr<State> state_;
};

}  // namespace strata

#endif  // STRATA_RPC_LEADER_MONITOR_H_
