#ifndef STRATA_TESTS_SIM_MEMBER_LOOP_H_
#define STRATA_TESTS_SIM_MEMBER_LOOP_H_

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "base/sim_loop.h"

namespace strata::sim {

// What the loops of one member have in common.
struct MemberClock {
  double rate = 1;      // of its clock to the world's
  bool paused = false;  // as by SIGSTOP: nothing of it runs
};

// A loop of a member: on the world's clock through the member's own, which may
// be fast or slow; it stands still while the member is paused, and what is
// posted may take its time, as work of a slow disk does.
class MemberLoop final : public Loop {
 public:
  MemberLoop(SimWorld* world, const std::string& name, const MemberClock* clock)
      : base_(world->NewLoop(name)), clock_(clock) {
    base_->SetGate(&clock_->paused, &held_);
  }

  Time Now() const override { return Scale(base_->Now(), clock_->rate); }
  int64_t WallNow() const override { return base_->WallNow(); }
  void Post(Function function) override {
    if (delay_ == Duration::zero() && busy_until_ <= base_->Now()) {
      return base_->Post(std::move(function));
    }
    busy_until_ = std::max(busy_until_, base_->Now()) + delay_;
    base_->After(busy_until_ - base_->Now(), std::move(function));
  }
  TimerId After(Duration delay, Function function) override {
    // Rounded so that the member's clock has moved by all of it.
    const Duration rounding(clock_->rate == 1 || delay <= Duration::zero() ? 0
                                                                           : 2);
    return base_->After(Scale(delay, 1 / clock_->rate) + rounding,
                        std::move(function));
  }
  void Cancel(TimerId timer) override { base_->Cancel(timer); }
  bool InLoop() const override { return base_->InLoop(); }

  void Halt() {
    base_->Halt();
    held_.clear();
  }
  // Each function that is posted takes so long before it runs.
  void SetDelay(Duration delay) { delay_ = delay; }
  // Nothing that is posted from now on runs before `time`.
  void StallUntil(Time time) { busy_until_ = std::max(busy_until_, time); }
  // The member is no longer paused. What is due and what was posted meanwhile
  // comes in the order of time, or what is due comes first: a process that goes
  // on does the one or the other.
  void Resume(bool timers_first) {
    auto held = std::exchange(held_, {});
    if (timers_first) {
      std::stable_partition(held.begin(), held.end(),
                            [](const SimLoop::Held& one) { return one.timer; });
    }
    for (SimLoop::Held& one : held) base_->Post(std::move(one.function));
  }

 private:
  static Duration Scale(Duration duration, double rate) {
    if (rate == 1) return duration;
    return Duration(
        static_cast<int64_t>(static_cast<double>(duration.count()) * rate));
  }
  std::deque<SimLoop::Held> held_;  // outlives base_
  const std::unique_ptr<SimLoop> base_;
  const MemberClock* const clock_;
  Duration delay_ = Duration::zero();
  Time busy_until_ = Time::zero();
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_MEMBER_LOOP_H_
