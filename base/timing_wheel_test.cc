#include "base/timing_wheel.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "base/random.h"

namespace strata {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Item : TimingWheel::Timer {
  Time due{};
};

// All that is due at `now`.
std::vector<TimingWheel::Timer*> Due(TimingWheel* wheel, Time now) {
  std::vector<TimingWheel::Timer*> due;
  while (wheel->Advance(now, 1000, &due)) {
  }
  return due;
}

TEST(TimingWheel, ATimerIsDueAtTheFirstTickNotBeforeIt) {
  TimingWheel wheel(seconds(7));
  Item item;
  wheel.Set(&item, seconds(9) + milliseconds(30));
  EXPECT_TRUE(item.set());
  EXPECT_TRUE(Due(&wheel, seconds(9) + milliseconds(99)).empty());
  EXPECT_EQ(Due(&wheel, seconds(9) + milliseconds(100)).size(), 1u);
  EXPECT_FALSE(item.set());
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimingWheel, AMovedTimerIsDueOnceAndACancelledOneNever) {
  TimingWheel wheel(Time::zero());
  Item moved, cancelled;
  wheel.Set(&moved, seconds(1));
  wheel.Set(&cancelled, seconds(2));
  wheel.Set(&moved, hours(30));
  wheel.Cancel(&cancelled);
  EXPECT_TRUE(Due(&wheel, hours(29)).empty());
  EXPECT_EQ(Due(&wheel, hours(31)), std::vector<TimingWheel::Timer*>{&moved});
}

TEST(TimingWheel, ATimePastIsDueAtOnce) {
  TimingWheel wheel(seconds(100));
  EXPECT_TRUE(Due(&wheel, seconds(200)).empty());
  Item item;
  wheel.Set(&item, seconds(150));
  ASSERT_TRUE(wheel.NextWork().has_value());
  EXPECT_EQ(Due(&wheel, seconds(200)).size(), 1u);
}

TEST(TimingWheel, OneStepLooksAtNoMoreThanItMay) {
  TimingWheel wheel(Time::zero());
  std::deque<Item> items(1000);
  for (Item& item : items) wheel.Set(&item, hours(5));
  std::vector<TimingWheel::Timer*> due;
  int steps = 0;
  size_t before = 0;
  while (wheel.Advance(hours(6), 64, &due)) {
    EXPECT_LE(due.size() - before, 64u);
    before = due.size();
    ++steps;
  }
  EXPECT_EQ(due.size(), 1000u);
  EXPECT_GE(steps, 1000 / 64);
}

// Against a plain list of times: nothing early, nothing late by more than a
// tick, and NextWork never beyond the next timer.
TEST(TimingWheel, BehavesAsAListOfTimes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    Time now = milliseconds(random.Below(10'000));
    TimingWheel wheel(now);
    std::deque<Item> items(200);
    for (int step = 0; step < 3000; ++step) {
      Item& item = items[random.Below(items.size())];
      const uint64_t scale = uint64_t{1} << random.Below(40);
      switch (random.Below(4)) {
        case 0:
          wheel.Cancel(&item);
          break;
        case 1:
          now += milliseconds(random.Below(uint64_t{1} << random.Below(26)));
          for (TimingWheel::Timer* timer : Due(&wheel, now)) {
            EXPECT_LE(static_cast<Item*>(timer)->due, now);
          }
          break;
        default:
          item.due = now + milliseconds(random.Below(scale));
          wheel.Set(&item, item.due);
      }
      Time next = Time::max();
      for (const Item& each : items) {
        if (!each.set()) continue;
        next = std::min(next, each.due);
        EXPECT_GT(each.due + TimingWheel::kTick, now) << "late, seed " << seed;
      }
      if (next != Time::max()) {
        EXPECT_LE(*wheel.NextWork(), std::max(now, next + TimingWheel::kTick));
      } else {
        EXPECT_FALSE(wheel.NextWork().has_value());
      }
    }
    for (Item& item : items) wheel.Cancel(&item);
  }
}

}  // namespace
}  // namespace strata
