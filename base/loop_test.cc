#include "base/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace strata {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// Happens once. It may be destroyed as soon as Wait() has returned.
class Event {
 public:
  void Set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

// Waits until the loop has run what was posted so far.
void Drain(Loop* loop) {
  Event done;
  loop->Post([&done] { done.Set(); });
  done.Wait();
}

TEST(ThreadedLoop, RunsInTheOrderOfPosting) {
  std::vector<int> order;
  {
    auto loop = NewThreadedLoop("order");
    for (int i = 0; i < 1000; ++i) {
      loop->Post([&order, i] { order.push_back(i); });
    }
  }
  ASSERT_EQ(1000u, order.size());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(i, order[i]);
}

TEST(ThreadedLoop, EachPosterKeepsItsOrderAndNothingIsLost) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 5000;
  std::vector<int> next(kThreads, 0);  // touched on the loop only
  int disorders = 0;
  {
    auto loop = NewThreadedLoop("posters");
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kPosts; ++i) {
          loop->Post([&, t, i] { disorders += next[t]++ != i; });
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  EXPECT_EQ(0, disorders);
  EXPECT_EQ(std::vector<int>(kThreads, kPosts), next);
}

TEST(ThreadedLoop, DestructorRunsWhatPostedFunctionsPost) {
  int runs = 0;
  {
    auto loop = NewThreadedLoop("nested");
    loop->Post([&runs, l = loop.get()] {
      ++runs;
      l->Post([&runs] { ++runs; });
    });
  }
  EXPECT_EQ(2, runs);
}

TEST(ThreadedLoop, DestructorDropsTimersNotYetDue) {
  std::atomic<bool> ran = false;
  {
    auto loop = NewThreadedLoop("drop");
    loop->After(hours(1), [&ran] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST(ThreadedLoop, TimersRunInOrderOfTheirTimeAndNotBefore) {
  Event done;
  std::vector<int> order;
  Time last{};
  auto loop = NewThreadedLoop("timers");
  const Time start = loop->Now();
  loop->After(milliseconds(30), [&] {
    order.push_back(30);
    last = loop->Now();
    done.Set();
  });
  loop->After(milliseconds(10), [&] { order.push_back(10); });
  loop->After(milliseconds(20), [&] { order.push_back(20); });
  done.Wait();
  EXPECT_EQ((std::vector<int>{10, 20, 30}), order);
  EXPECT_GE(last - start, milliseconds(30));
}

TEST(ThreadedLoop, ATimerWakesASleeperThatWaitsForALaterOne) {
  auto loop = NewThreadedLoop("earlier");
  loop->After(hours(1), [] {});
  Drain(loop.get());
  Event done;
  loop->After(milliseconds(1), [&done] { done.Set(); });
  done.Wait();
}

TEST(ThreadedLoop, CancelOnTheLoopKeepsADueTimerFromStarting) {
  std::atomic<bool> ran = false;
  Event done;
  auto loop = NewThreadedLoop("cancel");
  loop->Post([&] {
    const auto second = loop->After(milliseconds(2), [&ran] { ran = true; });
    loop->After(milliseconds(1), [&, second] { loop->Cancel(second); });
    // Both are due when the loop gets to look at timers again.
    std::this_thread::sleep_for(milliseconds(5));
    loop->After(milliseconds(10), [&done] { done.Set(); });
  });
  done.Wait();
  EXPECT_FALSE(ran);
}

TEST(ThreadedLoop, UnknownTimersAreIgnored) {
  auto loop = NewThreadedLoop("unknown");
  loop->Cancel(0);
  loop->Cancel(12345);
  Drain(loop.get());
}

TEST(ThreadedLoop, ABusyTimerDoesNotStarvePosts) {
  std::atomic<bool> stop = false;
  std::function<void()> again;
  auto loop = NewThreadedLoop("starve");
  again = [&, l = loop.get()] {
    if (!stop) l->After(Duration(0), again);
  };
  loop->Post(again);
  for (int i = 0; i < 100; ++i) Drain(loop.get());
  stop = true;
}

TEST(ThreadedLoop, KnowsWhoIsOnIt) {
  auto loop = NewThreadedLoop("a name longer than the kernel's limit");
  EXPECT_FALSE(loop->InLoop());
  std::atomic<bool> inside = false;
  loop->Post([&inside, l = loop.get()] { inside = l->InLoop(); });
  Drain(loop.get());
  EXPECT_TRUE(inside);
}

TEST(ThreadedLoop, FreesWhatAFunctionHoldsBeforeTheNextRuns) {
  auto loop = NewThreadedLoop("free");
  Event blocker;
  loop->Post([&blocker] { blocker.Wait(); });
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> watch = held;
  loop->Post([held = std::move(held)] { EXPECT_EQ(1, *held); });
  std::atomic<bool> gone = false;
  loop->Post([&] { gone = watch.expired(); });
  blocker.Set();
  Drain(loop.get());
  EXPECT_TRUE(gone);
}

TEST(ThreadedLoop, ClocksMove) {
  auto loop = NewThreadedLoop("clock");
  const Time now = loop->Now();
  std::this_thread::sleep_for(milliseconds(2));
  EXPECT_GE(loop->Now() - now, milliseconds(2));
  EXPECT_GT(loop->WallNow(), int64_t{1700000000} * 1000000000);
}

}  // namespace
}  // namespace strata
