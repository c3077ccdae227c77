#ifndef STRATA_BASE_TIMING_WHEEL_H_
#define STRATA_BASE_TIMING_WHEEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/loop.h"

namespace strata {

// Many timers that are mostly moved before they are due, in ticks of a tenth of
// a second: setting, moving and cancelling one costs the same for a million as
// for one (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987,
// scheme 7). A timer is due at the first tick not before its time; those of one
// tick come in any order. Used by one thread at a time.
//
//   struct Lease : TimingWheel::Timer { ... };
//   wheel.Set(&lease, now + ttl);
//   while (wheel.Advance(now, 1000, &due)) { ...take a breath... }
class TimingWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(100);

  // Derive from it what is to be timed. Must not be set when it is destroyed.
  class Timer {
   public:
    Timer() = default;
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    bool set() const { return set_; }

   private:
    friend class TimingWheel;
    Timer* next_ = nullptr;
    Timer* previous_ = nullptr;
    uint64_t tick_ = 0;
    uint8_t level_ = 0;
    uint8_t slot_ = 0;
    bool set_ = false;
  };

  explicit TimingWheel(Time now);

  // Sets or moves a timer. A time that has passed is due at the next Advance.
  void Set(Timer* timer, Time due);
  void Cancel(Timer* timer);  // one that is not set is ignored

  // Adds to `due`, and unsets, the timers due at `now`, looking at no more than
  // `max`; true if there are more to look at.
  bool Advance(Time now, size_t max, std::vector<Timer*>* due);

  // A time at which Advance has something to do, and before which it has not;
  // nothing if no timer is set. At most log(delay) of such times lie before a
  // timer is due.
  std::optional<Time> NextWork() const;

  size_t size() const { return size_; }

 private:
  static constexpr int kSlotBits = 8;
  static constexpr size_t kSlots = size_t{1} << kSlotBits;
  static constexpr size_t kLevels = 5;
  static_assert(uint64_t{1} << (kSlotBits * kLevels) >
                static_cast<uint64_t>(Duration::max() / kTick));
  static constexpr uint8_t kLate = kLevels;  // as a level: due already

  // A timer of level n lies in the slot of its tick's n-th byte, which is the
  // highest in which the tick differs from now_: so all slots with timers lie
  // ahead of now_'s own.
  struct Level {
    std::array<Timer*, kSlots> slots = {};
    std::array<uint64_t, kSlots / 64> occupied = {};
  };
  struct Slot {
    uint8_t level = kLate;
    uint8_t slot = 0;
    uint64_t tick = 0;  // at which it begins
  };

  static uint64_t Tick(Duration after) {
    return static_cast<uint64_t>(after / kTick);
  }
  Time TickTime(uint64_t tick) const {
    return start_ + static_cast<int64_t>(tick) * kTick;
  }
  std::optional<Slot> NextSlot() const;
  Timer** Head(uint8_t level, uint8_t slot);
  bool Drain(Timer** head, size_t* budget, std::vector<Timer*>* due);
  void Link(Timer* timer, uint8_t level, uint8_t slot);
  void Unlink(Timer* timer);
  void Place(Timer* timer);

  const Time start_;
  uint64_t now_ = 0;  // in ticks since start_
  size_t size_ = 0;
  std::array<Level, kLevels> levels_;
  Timer* late_ = nullptr;  // set for a time that had passed
  // The slot that begins at now_, whose timers are being looked at. No timer is
  // put into it: it would differ from now_ in a lower byte.
  Slot draining_;
};

}  // namespace strata

#endif  // STRATA_BASE_TIMING_WHEEL_H_
