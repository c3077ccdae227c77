#ifndef STRATA_BASE_SIM_LOOP_H_
#define STRATA_BASE_SIM_LOOP_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/random.h"
#include "base/timer_queue.h"

namespace strata {

class SimWorld;

// A loop of a SimWorld, in whose one thread it runs. Like a ThreadedLoop its
// destructor runs what was posted; Halt() is for a process that is killed.
class SimLoop : public Loop {
 public:
  ~SimLoop() override;
  SimLoop(const SimLoop&) = delete;
  SimLoop& operator=(const SimLoop&) = delete;

  Time Now() const override;
  int64_t WallNow() const override;
  void Post(Function function) override;
  TimerId After(Duration delay, Function function) override;
  void Cancel(TimerId timer) override;
  bool InLoop() const override;

  // Drops what was posted and all timers, and whatever comes later.
  void Halt();
  // What would have run while the gate was closed.
  struct Held {
    Function function;
    bool timer;  // was due; else it was posted
  };
  // While `closed` is true, what would run goes into `held` instead. Both
  // outlive the loop.
  void SetGate(const bool* closed, std::deque<Held>* held) {
    closed_ = closed;
    held_ = held;
  }
  const std::string& name() const { return name_; }

 private:
  friend class SimWorld;

  struct Posted {
    uint64_t order;  // of all posts in the world
    Function function;
  };

  SimLoop(SimWorld* world, std::string name)
      : world_(world), name_(std::move(name)) {}
  bool HasWork() const;
  void PostsChanged() {
    first_posted_ = posted_.empty() ? UINT64_MAX : posted_.front().order;
  }
  void TimersChanged() { due_ = timers_.NextDue().value_or(Time::max()); }
  void RunOne();

  SimWorld* const world_;
  uint64_t first_posted_ = UINT64_MAX;  // the order of the first of posted_
  Time due_ = Time::max();              // the next of timers_
  const std::string name_;
  std::deque<Posted> posted_;
  TimerQueue timers_;
  bool halted_ = false;
  const bool* closed_ = nullptr;
  std::deque<Held>* held_ = nullptr;
};

struct SimOptions {
  // False: functions run in the order they were posted, whatever their loop.
  // True: the seed decides which loop is next; each loop keeps its own order.
  bool shuffle = false;
  uint64_t random_seed = 1;
  // What WallNow() is at the start: 2024-01-01.
  int64_t wall_start_ns = int64_t{1704067200} * 1000000000;
};

// Any number of loops on one virtual clock, in one thread. The clock stands
// still while anything is posted or due and then jumps to the next timer; the
// same options and the same functions give the same run.
//
//   SimWorld world({.shuffle = true, .random_seed = seed});
//   auto a = world.NewLoop("a");
//   auto b = world.NewLoop("b");
//   a->After(std::chrono::milliseconds(10), [&] { b->Post(...); });
//   world.RunFor(std::chrono::seconds(1));
//
// Its loops must go before it. Not to be run from a function that it runs.
class SimWorld {
 public:
  SimWorld() : SimWorld(SimOptions{}) {}
  explicit SimWorld(const SimOptions& options);
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  std::unique_ptr<SimLoop> NewLoop(std::string name);

  Time Now() const { return now_; }
  // Functions run so far.
  uint64_t steps() const { return steps_; }

  // Runs one function that is posted or due; false if there is none.
  bool Step();
  // Runs until nothing is posted or due; the clock stands still. At most
  // `max_steps` functions, to end what would go round for ever; returns whether
  // it came to the end.
  bool RunUntilIdle(uint64_t max_steps = 10'000'000);
  // Runs all that happens in the next `duration`, after which Now() has grown
  // by just that.
  void RunFor(Duration duration);
  // Runs until `done` says so, looking after each function; false if it does
  // not within `duration`.
  bool RunUntil(const std::function<bool()>& done, Duration duration);

 private:
  friend class SimLoop;

  // Moves the clock to the next timer, if there is one until `end`.
  bool Advance(Time end);
  SimLoop* NextLoop();
  SimLoop* FirstInOrder() const;
  void Run(SimLoop* loop);

  const SimOptions options_;
  Random random_;
  Time now_{0};
  uint64_t steps_ = 0;
  uint64_t last_order_ = 0;
  std::vector<SimLoop*> loops_;  // in the order of making
  std::vector<SimLoop*> ready_;  // of one step; its memory is used again
  SimLoop* running_ = nullptr;
};

}  // namespace strata

#endif  // STRATA_BASE_SIM_LOOP_H_
