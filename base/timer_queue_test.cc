#include "base/timer_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "base/random.h"

namespace strata {
namespace {

TEST(TimerQueueTest, ATimerThatIsGoneIsNotAnotherInItsPlace) {
  TimerQueue queue;
  int ran = 0;
  const Loop::TimerId first = queue.Add(Time(1), [&] { ran += 1; });
  EXPECT_NE(queue.Cancel(first), nullptr);
  EXPECT_TRUE(queue.empty());
  const Loop::TimerId second = queue.Add(Time(2), [&] { ran += 10; });
  EXPECT_EQ(queue.Cancel(first), nullptr);
  EXPECT_EQ(queue.Cancel(0), nullptr);
  EXPECT_EQ(queue.NextDue(), Time(2));
  EXPECT_EQ(queue.PopDue(Time(1)), nullptr);
  queue.PopDue(Time(2))();
  EXPECT_EQ(ran, 10);
  EXPECT_EQ(queue.Cancel(second), nullptr);
}

// Beside a map by time and number: the same timers in the same order.
TEST(TimerQueueTest, DueFirstThenAddedFirstWhateverIsCancelled) {
  Random random(7);
  TimerQueue queue;
  std::map<std::pair<Time, Loop::TimerId>, int> expected;
  int ran = 0;
  for (int i = 1; i < 20000; ++i) {
    const uint64_t draw = random.Below(10);
    if (draw < 5) {
      const Time due(static_cast<int64_t>(random.Below(500)) + i / 10);
      expected[{due, queue.Add(due, [&ran, i] { ran = i; })}] = i;
    } else if (draw < 8 && !expected.empty()) {
      auto at = expected.begin();
      std::advance(at, random.Below(expected.size()));
      queue.Cancel(at->first.second)();
      ASSERT_EQ(ran, at->second);
      expected.erase(at);
    } else if (!expected.empty()) {
      ASSERT_EQ(queue.NextDue(), expected.begin()->first.first);
      queue.PopDue(Time::max())();
      ASSERT_EQ(ran, expected.begin()->second);
      expected.erase(expected.begin());
    }
    ASSERT_EQ(queue.empty(), expected.empty());
  }
}

}  // namespace
}  // namespace strata
