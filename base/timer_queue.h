#ifndef STRATA_BASE_TIMER_QUEUE_H_
#define STRATA_BASE_TIMER_QUEUE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "base/loop.h"

namespace strata {

// The timers of a loop: due first, and of those due together the first added.
// Used by one thread at a time. At most 16 million at once.
class TimerQueue {
 public:
  Loop::TimerId Add(Time due, Loop::Function function);
  // The function, or an empty one if the timer is unknown. It is handed back so
  // that the caller can destroy it outside a lock.
  Loop::Function Cancel(Loop::TimerId timer);

  bool empty() const { return heap_.empty(); }
  // When the next timer is due.
  std::optional<Time> NextDue() const;
  // Takes the next timer if it is due at `now`, or else an empty function.
  Loop::Function PopDue(Time now);

 private:
  // A timer's id is its number, from 1 on, and its place in slots_.
  static constexpr int kSlotBits = 24;
  static constexpr uint64_t kSlotMask = (uint64_t{1} << kSlotBits) - 1;

  struct Slot {
    Loop::TimerId timer = 0;  // 0: free
    Loop::Function function = {};
  };
  struct Entry {
    Time due;
    Loop::TimerId timer;

    // Of a heap whose first is due first.
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.due != b.due ? a.due > b.due : a.timer > b.timer;
    }
  };

  bool Waits(Loop::TimerId timer) const {
    return slots_[timer & kSlotMask].timer == timer;
  }
  Loop::Function Take(Loop::TimerId timer);
  void DropFirst();
  // The first of heap_ waits, and few others of it do not.
  void Tidy();

  std::vector<Entry> heap_;  // with some that were cancelled
  std::vector<Slot> slots_;
  std::vector<uint64_t> free_;  // of slots_
  uint64_t last_ = 0;
};

}  // namespace strata

#endif  // STRATA_BASE_TIMER_QUEUE_H_
