#ifndef STRATA_BASE_COMBINING_LOOP_H_
#define STRATA_BASE_COMBINING_LOOP_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/loop.h"

namespace strata {

// A loop that is run by whoever waits for it: a caller that needs an answer
// runs the posted functions itself instead of waking a thread and waiting for
// it, which saves two thread switches. With several waiting callers one runs
// while the others sleep, and leaves as soon as it has its own answer. A thread
// of the loop's own runs what nobody waits for, and timers.
//
//   bool done = false;
//   loop.RunUntilDone(&done, [&] { Start([&] { done = true; }); });
//
// As on every loop, functions run one at a time and in the order of their
// posts. The destructor returns after all that was posted has run.
class CombiningLoop : public Loop {
 public:
  explicit CombiningLoop(const std::string& name);
  ~CombiningLoop() override;

  Time Now() const override { return helper_->Now(); }
  int64_t WallNow() const override { return helper_->WallNow(); }
  void Post(Function function) override;
  TimerId After(Duration delay, Function function) override;
  void Cancel(TimerId timer) override { helper_->Cancel(timer); }
  bool InLoop() const override;

  // Calls `start` on the caller's thread, then runs the loop's functions, or
  // sleeps while another caller does, until one of them or `start` has set
  // `*done`. Not on the loop itself.
  void RunUntilDone(const bool* done, const std::function<void()>& start);

  // Calls `start` on the caller's thread, and then runs what it and others have
  // posted, once, unless another thread runs the loop. Waits for nobody and
  // leaves the rest to others. Returns whether it ran anything. Not on the loop
  // itself.
  bool RunAfter(const std::function<void()>& start);

 private:
  using Lock = std::unique_lock<std::mutex>;

  // Takes all that is posted and runs it without the lock, then wakes those
  // who sleep. REQUIRES: nobody runs.
  void RunBatch(Lock* lock);
  void RunRest();  // on helper_
  // Sees to it that somebody runs what is posted.
  void FindRunner(Lock lock);
  bool Nobody() const { return runner_ == std::thread::id(); }

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::vector<Function> posted_;
  std::vector<Function> batch_;  // the runner's, without the lock
  std::thread::id runner_;       // none: nobody runs
  int callers_ = 0;              // in RunUntilDone or RunAfter: will look
  int sleepers_ = 0;             // of these, in wake_

  // The last to be made and the first to end: it calls all of the above.
  std::unique_ptr<Loop> helper_;
};

}  // namespace strata

#endif  // STRATA_BASE_COMBINING_LOOP_H_
