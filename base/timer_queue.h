#ifndef STRATA_BASE_TIMER_QUEUE_H_
#define STRATA_BASE_TIMER_QUEUE_H_

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/loop.h"

namespace strata {

// The timers of a loop: due first, and of those due together the first added.
// Used by one thread at a time.
class TimerQueue {
 public:
  Loop::TimerId Add(Time due, Loop::Function function);
  // The function, or an empty one if the timer is unknown. It is handed back so
  // that the caller can destroy it outside a lock.
  Loop::Function Cancel(Loop::TimerId timer);

  bool empty() const { return timers_.empty(); }
  // When the next timer is due.
  std::optional<Time> NextDue() const;
  // Takes the next timer if it is due at `now`, or else an empty function.
  Loop::Function PopDue(Time now);

 private:
  std::map<std::pair<Time, Loop::TimerId>, Loop::Function> timers_;
  std::unordered_map<Loop::TimerId, Time> due_;
  Loop::TimerId last_ = 0;
};

}  // namespace strata

#endif  // STRATA_BASE_TIMER_QUEUE_H_
