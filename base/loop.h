#ifndef STRATA_BASE_LOOP_H_
#define STRATA_BASE_LOOP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace strata {

// Monotonic time since an arbitrary start.
using Time = std::chrono::nanoseconds;
using Duration = std::chrono::nanoseconds;

// Time and order, passed in. A loop runs posted functions one at a time, in the
// order they were posted; what is bound to a loop needs no lock. Nothing
// outside base/ reads a clock, sleeps or starts a thread.
//
// ThreadedLoop (one thread) is the real one; SimLoop runs any number of loops
// in one thread on a clock that moves only when there is nothing left to do.
class Loop {
 public:
  using Function = std::function<void()>;
  using TimerId = uint64_t;

  virtual ~Loop() = default;

  // Any thread.
  virtual Time Now() const = 0;
  // Wall-clock nanoseconds since 1970; for display and file stamps only.
  virtual int64_t WallNow() const = 0;

  // Runs `function` on the loop, after all that was posted before. Any thread.
  virtual void Post(Function function) = 0;
  // Runs `function` on the loop once `delay` has passed. Any thread.
  virtual TimerId After(Duration delay, Function function) = 0;
  // The timer's function will not start any more if this is called on the loop;
  // from another thread it may be running. Unknown ids are ignored.
  virtual void Cancel(TimerId timer) = 0;
  // Whether the caller is on this loop.
  virtual bool InLoop() const = 0;
};

// kLow: when there are more threads to run than processors, it gets a third of
// what a normal one does.
enum class ThreadPriority { kNormal, kLow };

// One thread, joined by the destructor after all that was posted has run;
// timers not yet due are dropped.
std::unique_ptr<Loop> NewThreadedLoop(
    const std::string& name, ThreadPriority priority = ThreadPriority::kNormal);

}  // namespace strata

#endif  // STRATA_BASE_LOOP_H_
