#include "base/timing_wheel.h"

#include <algorithm>
#include <bit>

namespace strata {

TimingWheel::TimingWheel(Time now) : start_(now) {}

TimingWheel::Timer** TimingWheel::Head(uint8_t level, uint8_t slot) {
  return level == kLate ? &late_ : &levels_[level].slots[slot];
}

void TimingWheel::Link(Timer* timer, uint8_t level, uint8_t slot) {
  Timer** const head = Head(level, slot);
  timer->set_ = true;
  timer->level_ = level;
  timer->slot_ = slot;
  timer->previous_ = nullptr;
  timer->next_ = *head;
  if (*head != nullptr) (*head)->previous_ = timer;
  *head = timer;
  if (level != kLate) {
    levels_[level].occupied[slot / 64] |= uint64_t{1} << (slot % 64);
  }
}

void TimingWheel::Unlink(Timer* timer) {
  Timer** const head = Head(timer->level_, timer->slot_);
  if (timer->previous_ != nullptr) {
    timer->previous_->next_ = timer->next_;
  } else {
    *head = timer->next_;
  }
  if (timer->next_ != nullptr) timer->next_->previous_ = timer->previous_;
  timer->set_ = false;
  if (timer->level_ != kLate && *head == nullptr) {
    levels_[timer->level_].occupied[timer->slot_ / 64] &=
        ~(uint64_t{1} << (timer->slot_ % 64));
  }
}

// REQUIRES: the timer's tick lies after now_
void TimingWheel::Place(Timer* timer) {
  const uint64_t apart = timer->tick_ ^ now_;
  const int level = (std::bit_width(apart) - 1) / kSlotBits;
  Link(timer, static_cast<uint8_t>(level),
       static_cast<uint8_t>(timer->tick_ >> (level * kSlotBits)));
}

void TimingWheel::Set(Timer* timer, Time due) {
  Cancel(timer);
  const Duration after = std::max(due - start_, Duration::zero());
  timer->tick_ = Tick(after) + (after % kTick > Duration::zero() ? 1 : 0);
  ++size_;
  if (timer->tick_ <= now_) {
    Link(timer, kLate, 0);
  } else {
    Place(timer);
  }
}

void TimingWheel::Cancel(Timer* timer) {
  if (!timer->set()) return;
  Unlink(timer);
  --size_;
}

// The lowest level with a timer has the next: slots of higher levels begin
// where all lower ones have passed.
std::optional<TimingWheel::Slot> TimingWheel::NextSlot() const {
  for (size_t n = 0; n < kLevels; ++n) {
    const Level& level = levels_[n];
    for (size_t word = 0; word < level.occupied.size(); ++word) {
      if (level.occupied[word] == 0) continue;
      const size_t slot = word * 64 + std::countr_zero(level.occupied[word]);
      const size_t shift = n * kSlotBits;
      const uint64_t above = now_ >> (shift + kSlotBits) << (shift + kSlotBits);
      return Slot{static_cast<uint8_t>(n), static_cast<uint8_t>(slot),
                  above | (uint64_t{slot} << shift)};
    }
  }
  return std::nullopt;
}

std::optional<Time> TimingWheel::NextWork() const {
  if (late_ != nullptr) return TickTime(now_);
  if (size_ == 0) return std::nullopt;
  // What is left of the slot being drained lies at now_, and is found first.
  if (draining_.level != kLate &&
      levels_[draining_.level].slots[draining_.slot] != nullptr) {
    return TickTime(now_);
  }
  return TickTime(NextSlot()->tick);
}

// False if the budget ended first.
bool TimingWheel::Drain(Timer** head, size_t* budget,
                        std::vector<Timer*>* due) {
  while (*head != nullptr) {
    if (*budget == 0) return false;
    --*budget;
    Timer* const timer = *head;
    Unlink(timer);
    if (timer->tick_ > now_) {
      Place(timer);
    } else {
      --size_;
      due->push_back(timer);
    }
  }
  return true;
}

bool TimingWheel::Advance(Time now, size_t max, std::vector<Timer*>* due) {
  const uint64_t until = Tick(std::max(now - start_, Duration::zero()));
  for (;;) {
    if (!Drain(&late_, &max, due)) return true;
    if (!Drain(Head(draining_.level, draining_.slot), &max, due)) return true;
    const std::optional<Slot> next = NextSlot();
    if (!next.has_value() || next->tick > until) return false;
    draining_ = *next;
    now_ = next->tick;
  }
}

}  // namespace strata
