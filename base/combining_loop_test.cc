#include "base/combining_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace strata {
namespace {

using std::chrono::milliseconds;

TEST(CombiningLoop, ACallerRunsWhatItWaitsFor) {
  CombiningLoop loop("test");
  const std::thread::id self = std::this_thread::get_id();
  std::thread::id ran_on;
  bool done = false;
  loop.RunUntilDone(&done, [&] {
    loop.Post([&] {
      ran_on = std::this_thread::get_id();
      EXPECT_TRUE(loop.InLoop());
      done = true;
    });
  });
  EXPECT_EQ(ran_on, self);
  EXPECT_FALSE(loop.InLoop());
}

TEST(CombiningLoop, RunsWhatNobodyWaitsFor) {
  int runs = 0;
  {
    CombiningLoop loop("test");
    for (int i = 0; i < 100; ++i) loop.Post([&] { ++runs; });
  }
  EXPECT_EQ(runs, 100);
}

TEST(CombiningLoop, ReturnsAtOnceIfStartHasTheAnswer) {
  CombiningLoop loop("test");
  bool done = false;
  loop.RunUntilDone(&done, [&] { done = true; });
  EXPECT_TRUE(done);
}

TEST(CombiningLoop, AFunctionPostedByAFunctionRunsToo) {
  CombiningLoop loop("test");
  bool done = false;
  loop.RunUntilDone(
      &done, [&] { loop.Post([&] { loop.Post([&] { done = true; }); }); });
  EXPECT_TRUE(done);
}

TEST(CombiningLoop, ATimerEndsAWait) {
  CombiningLoop loop("test");
  bool done = false;
  const Time begin = loop.Now();
  loop.RunUntilDone(&done,
                    [&] { loop.After(milliseconds(5), [&] { done = true; }); });
  EXPECT_GE(loop.Now() - begin, milliseconds(5));
}

TEST(CombiningLoop, RunAfterRunsWhatStartPosts) {
  CombiningLoop loop("test");
  std::thread::id ran_on;
  EXPECT_TRUE(loop.RunAfter(
      [&] { loop.Post([&] { ran_on = std::this_thread::get_id(); }); }));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_FALSE(loop.RunAfter([] {}));
}

TEST(CombiningLoop, RunAfterWaitsForNobody) {
  CombiningLoop loop("test");
  std::promise<void> running, go_on, last;
  loop.Post([&] {
    running.set_value();
    go_on.get_future().wait();
  });
  running.get_future().wait();
  bool ran = false;  // touched on the loop only
  EXPECT_FALSE(loop.RunAfter([&] { loop.Post([&] { ran = true; }); }));
  go_on.set_value();
  loop.Post([&] {
    EXPECT_TRUE(ran);
    last.set_value();
  });
  last.get_future().wait();
}

TEST(CombiningLoop, RunAfterLeavesTheRestToOthers) {
  CombiningLoop loop("test");
  std::promise<std::thread::id> ran_on;
  EXPECT_TRUE(loop.RunAfter([&] {
    loop.Post([&] {
      loop.Post([&] { ran_on.set_value(std::this_thread::get_id()); });
    });
  }));
  EXPECT_NE(ran_on.get_future().get(), std::this_thread::get_id());
}

// By all ways at once.
TEST(CombiningLoop, PostersRunnersAndWaiters) {
  constexpr int kThreads = 6;
  constexpr int kCalls = 1000;
  int count = 0;  // touched on the loop only
  {
    CombiningLoop loop("test");
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kCalls; ++i) {
          const auto post = [&] { loop.Post([&] { ++count; }); };
          bool done = false;
          if (t % 3 == 0) post();
          if (t % 3 == 1) loop.RunAfter(post);
          if (t % 3 == 2) {
            loop.RunUntilDone(&done, [&] {
              post();
              loop.Post([&] { done = true; });
            });
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(count, kThreads * kCalls);
}

TEST(CombiningLoop, ManyCallersRunOneAtATimeAndNothingIsLost) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 2000;
  CombiningLoop loop("test");
  int count = 0;  // touched on the loop only
  std::atomic<int> inside = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCalls; ++i) {
        bool done = false;
        loop.RunUntilDone(&done, [&] {
          loop.Post([&] {
            EXPECT_EQ(inside.fetch_add(1), 0);
            ++count;
            inside.fetch_sub(1);
            done = true;
          });
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kCalls);
}

}  // namespace
}  // namespace strata
