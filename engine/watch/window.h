#ifndef STRATA_ENGINE_WATCH_WINDOW_H_
#define STRATA_ENGINE_WATCH_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "base/check.h"
#include "engine/watch/event.h"

namespace strata {

// The events that some watcher has still to take, by number. It is bounded: the
// oldest go when there are too many, and who still wanted them finds them gone
// and reads the store. So what waits for slow clients, however many, is one
// window.
//
// Not thread-safe.
class EventWindow {
 public:
  EventWindow(size_t max_events, size_t max_bytes)
      : max_events_(max_events), max_bytes_(max_bytes) {}

  // The number of the event, which is wanted by `takers`, at least one.
  uint64_t Add(std::shared_ptr<const WatchEvent> event, size_t takers) {
    CHECK_GT(takers, 0u);
    bytes_ += event->bytes();
    slots_.push_back({std::move(event), takers});
    while (slots_.size() > max_events_ || bytes_ > max_bytes_) {
      if (slots_.size() == 1) break;  // what is larger than all of it
      PopFront();
    }
    return first_ + slots_.size() - 1;
  }

  bool Has(uint64_t number) const { return number >= first_; }
  // REQUIRES: Has(number)
  const std::shared_ptr<const WatchEvent>& at(uint64_t number) const {
    return slots_[number - first_].event;
  }
  // One taker less. Does nothing for an event that is gone.
  void Release(uint64_t number) {
    if (!Has(number)) return;
    Slot& slot = slots_[number - first_];
    CHECK_GT(slot.takers, 0u);
    --slot.takers;
    while (!slots_.empty() && slots_.front().takers == 0) PopFront();
  }

  size_t size() const { return slots_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Slot {
    std::shared_ptr<const WatchEvent> event;
    size_t takers;
  };

  void PopFront() {
    bytes_ -= slots_.front().event->bytes();
    slots_.pop_front();
    ++first_;
  }

  const size_t max_events_;
  const size_t max_bytes_;
  std::deque<Slot> slots_;
  uint64_t first_ = 0;
  size_t bytes_ = 0;
};

}  // namespace strata

#endif  // STRATA_ENGINE_WATCH_WINDOW_H_
