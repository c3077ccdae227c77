#include "base/sim_loop.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace strata {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(SimLoop, RunsInTheOrderOfPostingAcrossLoops) {
  SimWorld world;
  auto a = world.NewLoop("a");
  auto b = world.NewLoop("b");
  std::string order;
  b->Post([&] { order += "1"; });
  a->Post([&] {
    order += "2";
    b->Post([&] { order += "4"; });
  });
  b->Post([&] { order += "3"; });
  EXPECT_TRUE(world.RunUntilIdle());
  EXPECT_EQ("1234", order);
  EXPECT_EQ(4u, world.steps());
}

TEST(SimLoop, NothingRunsUntilTheWorldDoes) {
  SimWorld world;
  auto loop = world.NewLoop("a");
  bool ran = false;
  loop->Post([&] { ran = true; });
  EXPECT_FALSE(ran);
  EXPECT_TRUE(world.Step());
  EXPECT_TRUE(ran);
  EXPECT_FALSE(world.Step());
}

TEST(SimLoop, TheClockJumpsFromTimerToTimer) {
  SimWorld world;
  auto a = world.NewLoop("a");
  auto b = world.NewLoop("b");
  std::string order;
  const auto mark = [&](const Loop* loop, const char* name) {
    order += name + std::to_string(loop->Now() / milliseconds(1)) + " ";
  };
  a->After(milliseconds(30), [&] { mark(a.get(), "a"); });
  b->After(milliseconds(10), [&] {
    mark(b.get(), "b");
    b->After(milliseconds(5), [&] { mark(b.get(), "b"); });
  });
  world.RunFor(milliseconds(20));
  EXPECT_EQ("b10 b15 ", order);
  EXPECT_EQ(milliseconds(20), world.Now());
  world.RunFor(milliseconds(10));
  EXPECT_EQ("b10 b15 a30 ", order);
}

TEST(SimLoop, PostsRunBeforeTimersThatAreDue) {
  SimWorld world;
  auto a = world.NewLoop("a");
  auto b = world.NewLoop("b");
  std::string order;
  a->After(Duration(0), [&] { order += "t"; });
  a->Post([&] { order += "1"; });
  b->Post([&] { order += "2"; });
  EXPECT_TRUE(world.RunUntilIdle());
  EXPECT_EQ("12t", order);
}

TEST(SimLoop, RunUntilIdleLeavesTheClock) {
  SimWorld world;
  auto loop = world.NewLoop("a");
  bool ran = false;
  loop->After(milliseconds(1), [&] { ran = true; });
  EXPECT_TRUE(world.RunUntilIdle());
  EXPECT_FALSE(ran);
  EXPECT_EQ(Time(0), world.Now());
}

TEST(SimLoop, RunUntilIdleEndsWhatNeverEnds) {
  SimWorld world;
  auto loop = world.NewLoop("a");
  std::function<void()> again = [&] { loop->Post(again); };
  loop->Post(again);
  EXPECT_FALSE(world.RunUntilIdle(100));
  EXPECT_EQ(100u, world.steps());
  loop->Halt();
}

TEST(SimLoop, RunUntilStopsAtTheConditionOrTheTime) {
  SimWorld world;
  auto loop = world.NewLoop("a");
  int ticks = 0;
  std::function<void()> tick = [&] {
    ++ticks;
    loop->After(milliseconds(10), tick);
  };
  loop->After(milliseconds(10), tick);
  EXPECT_TRUE(world.RunUntil([&] { return ticks == 3; }, seconds(1)));
  EXPECT_EQ(milliseconds(30), world.Now());
  EXPECT_FALSE(world.RunUntil([&] { return ticks == 100; }, seconds(0)));
  EXPECT_EQ(3, ticks);
}

TEST(SimLoop, CancelledTimersDoNotRunEvenWhenDue) {
  SimWorld world;
  auto loop = world.NewLoop("a");
  bool ran = false;
  Loop::TimerId second = 0;
  loop->After(milliseconds(1), [&] { loop->Cancel(second); });
  second = loop->After(milliseconds(1), [&] { ran = true; });
  world.RunFor(milliseconds(5));
  EXPECT_FALSE(ran);
}

TEST(SimLoop, KnowsWhoRuns) {
  SimWorld world;
  auto a = world.NewLoop("a");
  auto b = world.NewLoop("b");
  EXPECT_FALSE(a->InLoop());
  a->Post([&] {
    EXPECT_TRUE(a->InLoop());
    EXPECT_FALSE(b->InLoop());
  });
  world.RunUntilIdle();
  EXPECT_EQ(1u, world.steps());
}

TEST(SimLoop, TheDestructorRunsPostsAndDropsTimers) {
  SimWorld world;
  int runs = 0;
  {
    auto loop = world.NewLoop("a");
    loop->Post([&, l = loop.get()] {
      ++runs;
      l->Post([&] { ++runs; });
    });
    loop->After(Duration(0), [&] { runs += 100; });
  }
  EXPECT_EQ(2, runs);
}

TEST(SimLoop, HaltDropsAll) {
  SimWorld world;
  auto loop = world.NewLoop("a");
  int runs = 0;
  loop->Post([&] { ++runs; });
  loop->After(milliseconds(1), [&] { ++runs; });
  loop->Halt();
  loop->Post([&] { ++runs; });
  loop->After(milliseconds(1), [&] { ++runs; });
  world.RunFor(seconds(1));
  EXPECT_EQ(0, runs);
}

// Two loops that post to themselves; the order in which their marks mix.
std::string Mix(const SimOptions& options) {
  SimWorld world(options);
  auto a = world.NewLoop("a");
  auto b = world.NewLoop("b");
  std::string order;
  for (char i = '0'; i < '6'; ++i) {
    a->Post([&order, i] { order.append({'a', i}); });
    b->Post([&order, i] { order.append({'b', i}); });
  }
  world.RunUntilIdle();
  return order;
}

std::string Only(char loop, const std::string& order) {
  std::string marks;
  for (size_t i = 0; i + 1 < order.size(); i += 2) {
    if (order[i] == loop) marks.push_back(order[i + 1]);
  }
  return marks;
}

TEST(SimLoop, ShuffleMixesLoopsButKeepsEachInOrder) {
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const SimOptions options{.shuffle = true, .random_seed = seed};
    const std::string order = Mix(options);
    EXPECT_EQ("012345", Only('a', order));
    EXPECT_EQ("012345", Only('b', order));
    EXPECT_EQ(order, Mix(options)) << "the seed decides";
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 10u);
  EXPECT_EQ("a0b0a1b1a2b2a3b3a4b4a5b5", Mix({}));
}

TEST(SimLoop, WallClockStartsWhereToldAndMovesAlong) {
  SimWorld world({.wall_start_ns = 1000});
  auto loop = world.NewLoop("a");
  EXPECT_EQ(1000, loop->WallNow());
  world.RunFor(Duration(5));
  EXPECT_EQ(1005, loop->WallNow());
}

}  // namespace
}  // namespace strata
