#include "base/idle_poll.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>

namespace strata {
namespace {

using Clock = std::chrono::steady_clock;

// Between looks at the clock: short beside any time worth polling.
constexpr int kLooks = 64;

}  // namespace

IdlePoll::IdlePoll(Duration time, int threads) : time_(time) {
  if (time <= Duration::zero()) return;
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), "idle-poll");
  }
}

IdlePoll::~IdlePoll() {
  stopping_ = true;
  Touch();
  for (std::thread& thread : threads_) thread.join();
}

void IdlePoll::Touch() {
  if (threads_.empty()) return;
  // With polling_ below: a thread that has ceased to poll sees the work before
  // it waits, or is seen here.
  work_.fetch_add(1);
  if (polling_.load() < static_cast<int>(threads_.size())) work_.notify_all();
}

void IdlePoll::Run() {
  const sched_param none = {};
  // Polling at any other priority would take what it is meant to give.
  if (sched_setscheduler(/*pid=*/0, SCHED_IDLE, &none) != 0) return;
  for (;;) {
    polling_.fetch_add(1);
    const uint32_t seen = Poll();
    polling_.fetch_sub(1);
    // It is set before the last work: who has seen that sees this.
    if (stopping_) return;
    work_.wait(seen);
  }
}

uint32_t IdlePoll::Poll() {
  uint32_t seen = work_;
  Clock::time_point end = Clock::now() + time_;
  while (!stopping_) {
    for (int i = 0; i < kLooks; ++i) {
      const uint32_t now = work_.load(std::memory_order_relaxed);
      if (now == seen) continue;
      seen = now;
      end = Clock::now() + time_;
    }
    if (Clock::now() >= end) break;
  }
  return seen;
}

}  // namespace strata
