#include "base/timer_queue.h"

namespace strata {

Loop::TimerId TimerQueue::Add(Time due, Loop::Function function) {
  const Loop::TimerId timer = ++last_;
  timers_.emplace(std::pair(due, timer), std::move(function));
  due_.emplace(timer, due);
  return timer;
}

Loop::Function TimerQueue::Cancel(Loop::TimerId timer) {
  const auto due = due_.find(timer);
  if (due == due_.end()) return nullptr;
  auto node = timers_.extract({due->second, timer});
  due_.erase(due);
  return std::move(node.mapped());
}

std::optional<Time> TimerQueue::NextDue() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

Loop::Function TimerQueue::PopDue(Time now) {
  if (timers_.empty() || timers_.begin()->first.first > now) return nullptr;
  auto node = timers_.extract(timers_.begin());
  due_.erase(node.key().second);
  return std::move(node.mapped());
}

}  // namespace strata
