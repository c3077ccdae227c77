#include "base/timer_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata {
namespace {

// So many that were cancelled are not worth tidying.
constexpr size_t kFewCancelled = 64;

}  // namespace

Loop::TimerId TimerQueue::Add(Time due, Loop::Function function) {
  uint64_t slot = slots_.size();
  if (free_.empty()) {
    CHECK(slot <= kSlotMask) << "too many timers";
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  const Loop::TimerId timer = ++last_ << kSlotBits | slot;
  slots_[slot] = {.timer = timer, .function = std::move(function)};
  heap_.push_back({.due = due, .timer = timer});
  std::push_heap(heap_.begin(), heap_.end());
  return timer;
}

Loop::Function TimerQueue::Take(Loop::TimerId timer) {
  Slot& slot = slots_[timer & kSlotMask];
  slot.timer = 0;
  free_.push_back(timer & kSlotMask);
  return std::exchange(slot.function, nullptr);
}

Loop::Function TimerQueue::Cancel(Loop::TimerId timer) {
  const bool known =
      timer != 0 && (timer & kSlotMask) < slots_.size() && Waits(timer);
  if (!known) return nullptr;
  Loop::Function function = Take(timer);
  Tidy();
  return function;
}

std::optional<Time> TimerQueue::NextDue() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().due;
}

Loop::Function TimerQueue::PopDue(Time now) {
  if (heap_.empty() || heap_.front().due > now) return nullptr;
  Loop::Function function = Take(heap_.front().timer);
  Tidy();
  return function;
}

void TimerQueue::DropFirst() {
  std::pop_heap(heap_.begin(), heap_.end());
  heap_.pop_back();
}

void TimerQueue::Tidy() {
  while (!heap_.empty() && !Waits(heap_.front().timer)) DropFirst();
  const size_t waiting = slots_.size() - free_.size();
  if (heap_.size() <= 2 * waiting + kFewCancelled) return;
  std::erase_if(heap_, [this](const Entry& e) { return !Waits(e.timer); });
  std::make_heap(heap_.begin(), heap_.end());
}

}  // namespace strata
