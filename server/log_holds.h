#ifndef STRATA_SERVER_LOG_HOLDS_H_
#define STRATA_SERVER_LOG_HOLDS_H_

#include <chrono>
#include <map>
#include <optional>

#include "base/loop.h"
#include "base/types.h"

namespace strata {

// What of a leader's log members need who are being sent a snapshot: all that
// comes after it. Without it, a member that takes longer for a snapshot than
// the log goes back would be sent the next one, and so for ever. As in etcd it
// is kept for half a minute more, in which the member installs the snapshot and
// asks for what follows. How many bytes a log may keep bounds this, too. A
// value without a clock of its own.
class LogHolds {
 public:
  static constexpr Duration kAfterwards = std::chrono::seconds(30);

  // A snapshot up to `index` is on its way.
  void Sending(MemberId to, LogIndex index);
  void Sent(MemberId to, Time now);
  // Whether one was sent whole to `to`, of late.
  bool WasSent(MemberId to) const;
  void Failed(MemberId to) { holds_.erase(to); }
  void Clear() { holds_.clear(); }
  bool empty() const { return holds_.empty(); }

  // How much of what is wanted to go may go. Forgets those whose time is over.
  LogIndex Limit(LogIndex wanted, Time now);

 private:
  struct Hold {
    LogIndex index;
    std::optional<Time> until = std::nullopt;
  };
  std::map<MemberId, Hold> holds_;
};

}  // namespace strata

#endif  // STRATA_SERVER_LOG_HOLDS_H_
