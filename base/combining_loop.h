#ifndef STRATA_BASE_COMBINING_LOOP_H_
#define STRATA_BASE_COMBINING_LOOP_H_

#include <functional>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "base/loop.h"

namespace strata {

// A loop that is run by whoever waits for it: a caller that needs an answer
// runs the posted functions itself instead of waking a thread and waiting for
// it, which saves two thread switches. With several waiting callers one runs
// while the others sleep, and leaves as soon as it has its own answer. A thread
// of the loop's own runs what nobody waits for, and timers. Who sleeps is woken
// once: when it has its answer, or as the next to run.
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

  // A caller of RunUntilDone that has nothing to do.
  struct Sleeper {
    explicit Sleeper(const bool* awaited) : done(awaited) {}

    const bool* const done;
    bool finished = false;  // of what it waits for; read after `woken`
    std::binary_semaphore woken{0};
  };
  // Shared, as one that has been woken does not wait for its waker to be done
  // with it.
  using Sleepers = std::vector<std::shared_ptr<Sleeper>>;

  // Takes all that is posted and runs it without the lock. Adds to `finished`
  // those who then have what they waited for; they are to be woken.
  // REQUIRES: nobody runs.
  void RunBatch(Lock* lock, Sleepers* finished);
  static void Wake(Sleepers* sleepers);  // and clears them
  void RunRest();                        // on helper_
  // Sees to it that somebody runs what is posted.
  void FindRunner(Lock lock);
  bool Nobody() const { return runner_ == std::thread::id(); }

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<Function> posted_;
  std::vector<Function> batch_;  // the runner's, without the lock
  std::thread::id runner_;       // none: nobody runs
  int callers_ = 0;              // awake in RunUntilDone or RunAfter: will look
  Sleepers sleepers_;

  // The last to be made and the first to end: it calls all of the above.
  std::unique_ptr<Loop> helper_;
};

// For who has a loop of either kind: as RunAfter if `loop` is one that callers
// run; if not, `start` is called and the loop's thread does the rest.
bool RunAfter(Loop* loop, const std::function<void()>& start);

}  // namespace strata

#endif  // STRATA_BASE_COMBINING_LOOP_H_
