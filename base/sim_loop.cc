#include "base/sim_loop.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata {

SimLoop::~SimLoop() {
  CHECK(!InLoop()) << "a loop cannot wait for its own end";
  while (!posted_.empty()) world_->Run(this);
  std::erase(world_->loops_, this);
}

Time SimLoop::Now() const { return world_->now_; }

int64_t SimLoop::WallNow() const {
  return world_->options_.wall_start_ns + world_->now_.count();
}

void SimLoop::Post(Function function) {
  if (halted_) return;
  posted_.push_back({++world_->last_order_, std::move(function)});
  PostsChanged();
}

Loop::TimerId SimLoop::After(Duration delay, Function function) {
  if (halted_) return 0;
  const TimerId timer = timers_.Add(world_->now_ + delay, std::move(function));
  TimersChanged();
  return timer;
}

// What it holds may call back while it is destroyed.
void SimLoop::Cancel(TimerId timer) {
  const Function function = timers_.Cancel(timer);
  TimersChanged();
}

bool SimLoop::InLoop() const { return world_->running_ == this; }

void SimLoop::Halt() {
  halted_ = true;
  // What they hold may call back while it is destroyed.
  auto posted = std::exchange(posted_, {});
  auto timers = std::exchange(timers_, {});
  PostsChanged();
  TimersChanged();
}

bool SimLoop::HasWork() const {
  return !posted_.empty() || due_ <= world_->now_;
}

void SimLoop::RunOne() {
  Function function;
  const bool timer = posted_.empty();
  if (timer) {
    function = timers_.PopDue(world_->now_);
    TimersChanged();
  } else {
    function = std::move(posted_.front().function);
    posted_.pop_front();
    PostsChanged();
  }
  if (closed_ != nullptr && *closed_) {
    return held_->push_back({.function = std::move(function), .timer = timer});
  }
  function();
}

SimWorld::SimWorld(const SimOptions& options)
    : options_(options), random_(options.random_seed) {}

SimWorld::~SimWorld() { CHECK(loops_.empty()) << loops_.front()->name(); }

std::unique_ptr<SimLoop> SimWorld::NewLoop(std::string name) {
  std::unique_ptr<SimLoop> loop(new SimLoop(this, std::move(name)));
  loops_.push_back(loop.get());
  return loop;
}

bool SimWorld::Step() {
  CHECK(running_ == nullptr) << "run from within a run";
  SimLoop* loop = NextLoop();
  if (loop == nullptr) return false;
  Run(loop);
  return true;
}

void SimWorld::Run(SimLoop* loop) {
  // A loop destroyed by another's function runs its last posts inside it.
  SimLoop* const outer = std::exchange(running_, loop);
  ++steps_;
  loop->RunOne();
  running_ = outer;
}

SimLoop* SimWorld::NextLoop() {
  if (!options_.shuffle) return FirstInOrder();
  ready_.clear();
  for (SimLoop* loop : loops_) {
    if (loop->HasWork()) ready_.push_back(loop);
  }
  return ready_.empty() ? nullptr : ready_[random_.Below(ready_.size())];
}

// Posts before timers, in the order of posting; then timers by their time.
SimLoop* SimWorld::FirstInOrder() const {
  SimLoop* posted = nullptr;
  SimLoop* timer = nullptr;
  for (SimLoop* loop : loops_) {
    if (loop->first_posted_ != UINT64_MAX) {
      if (posted == nullptr || loop->first_posted_ < posted->first_posted_) {
        posted = loop;
      }
    } else if (loop->due_ <= now_ &&
               (timer == nullptr || loop->due_ < timer->due_)) {
      timer = loop;
    }
  }
  return posted != nullptr ? posted : timer;
}

bool SimWorld::RunUntilIdle(uint64_t max_steps) {
  for (uint64_t i = 0; i < max_steps; ++i) {
    if (!Step()) return true;
  }
  return NextLoop() == nullptr;
}

bool SimWorld::Advance(Time end) {
  Time next = Time::max();
  for (const SimLoop* loop : loops_) next = std::min(next, loop->due_);
  if (next == Time::max() || next > end) return false;
  now_ = std::max(now_, next);
  return true;
}

void SimWorld::RunFor(Duration duration) {
  RunUntil([] { return false; }, duration);
}

bool SimWorld::RunUntil(const std::function<bool()>& done, Duration duration) {
  const Time end = now_ + duration;
  while (!done()) {
    if (Step() || Advance(end)) continue;
    now_ = end;
    return false;
  }
  return true;
}

}  // namespace strata
