#include <pthread.h>
#include <sys/resource.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/loop.h"
#include "base/timer_queue.h"

namespace strata {

namespace {

constexpr size_t kMaxThreadName = 15;  // the kernel's, without the final zero
constexpr int kNice = 5;               // weight 335 of 1,024

// One thread that takes all that was posted in one go and runs it without the
// lock. A post wakes the thread only if it sleeps: a busy loop costs its
// posters one uncontended lock and no system call.
class ThreadedLoop : public Loop {
 public:
  ThreadedLoop(const std::string& name, ThreadPriority priority) {
    thread_ = std::thread([this, priority] {
      // Of this thread alone, on Linux. That it fails changes nothing else.
      if (priority == ThreadPriority::kLow) setpriority(PRIO_PROCESS, 0, kNice);
      Run();
    });
    pthread_setname_np(thread_.native_handle(),
                       name.substr(0, kMaxThreadName).c_str());
  }
  ~ThreadedLoop() override;

  Time Now() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  int64_t WallNow() const override {
    return Duration(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  void Post(Function function) override;
  TimerId After(Duration delay, Function function) override;
  void Cancel(TimerId timer) override;
  bool InLoop() const override {
    return std::this_thread::get_id() == thread_.get_id();
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  void Run();
  // Sleeps until something is posted, a timer is due or the loop is to stop.
  void AwaitWork(Lock* lock);
  void RunDueTimers(Lock* lock);
  void WakeAndUnlock(Lock lock);

  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::vector<Function> posted_;
  TimerQueue timers_;
  bool sleeping_ = false;
  bool stopping_ = false;

  // The last to be made: it uses all of the above.
  std::thread thread_;
};

ThreadedLoop::~ThreadedLoop() {
  CHECK(!InLoop()) << "a loop cannot wait for its own end";
  Lock lock(mutex_);
  stopping_ = true;
  WakeAndUnlock(std::move(lock));
  thread_.join();
}

void ThreadedLoop::Post(Function function) {
  Lock lock(mutex_);
  posted_.push_back(std::move(function));
  WakeAndUnlock(std::move(lock));
}

Loop::TimerId ThreadedLoop::After(Duration delay, Function function) {
  const Time due = Now() + delay;
  Lock lock(mutex_);
  const TimerId timer = timers_.Add(due, std::move(function));
  // A sleeper that wakes for an earlier timer sees this one then.
  if (timers_.NextDue() == due) WakeAndUnlock(std::move(lock));
  return timer;
}

void ThreadedLoop::Cancel(TimerId timer) {
  Function dropped;  // destroyed after the lock is released
  const Lock lock(mutex_);
  dropped = timers_.Cancel(timer);
}

void ThreadedLoop::WakeAndUnlock(Lock lock) {
  const bool wake = std::exchange(sleeping_, false);
  lock.unlock();
  if (wake) wake_.notify_one();
}

void ThreadedLoop::AwaitWork(Lock* lock) {
  while (posted_.empty() && !stopping_) {
    const std::optional<Time> due = timers_.NextDue();
    if (due && *due <= Now()) return;
    sleeping_ = true;
    if (due) {
      wake_.wait_until(*lock, std::chrono::steady_clock::time_point(*due));
    } else {
      wake_.wait(*lock);
    }
    sleeping_ = false;
  }
}

void ThreadedLoop::RunDueTimers(Lock* lock) {
  // Timers added meanwhile wait for the next turn, so posts get theirs.
  const Time now = Now();
  while (Function function = timers_.PopDue(now)) {
    lock->unlock();
    function();
    function = nullptr;
    lock->lock();
  }
}

void ThreadedLoop::Run() {
  std::vector<Function> batch;
  Lock lock(mutex_);
  for (;;) {
    AwaitWork(&lock);
    if (stopping_ && posted_.empty()) return;
    batch.swap(posted_);
    lock.unlock();
    for (Function& function : batch) {
      function();
      // What it holds dies here, not when the whole batch has run.
      function = nullptr;
    }
    batch.clear();
    lock.lock();
    if (!stopping_) RunDueTimers(&lock);
  }
}

}  // namespace

std::unique_ptr<Loop> NewThreadedLoop(const std::string& name,
                                      ThreadPriority priority) {
  return std::make_unique<ThreadedLoop>(name, priority);
}

}  // namespace strata
