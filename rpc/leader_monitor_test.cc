#include "rpc/leader_monitor.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/sim_loop.h"

namespace strata {
namespace {

using std::chrono::milliseconds;

TEST(LeaderMonitorTest, TellsOnceAfterThreeTimeouts) {
  SimWorld world;
  const auto loop = world.NewLoop("monitor");
  bool leader = true;
  int lost = 0;
  std::optional<LeaderMonitor> monitor(
      std::in_place, loop.get(), milliseconds(1000), [&] { return leader; },
      [&] { ++lost; });
  world.RunFor(milliseconds(5500));
  EXPECT_EQ(lost, 0);
  leader = false;
  world.RunFor(milliseconds(2000));
  EXPECT_EQ(lost, 0);
  world.RunFor(milliseconds(1000));
  EXPECT_EQ(lost, 1);
  world.RunFor(milliseconds(10000));
  EXPECT_EQ(lost, 1);
  // A leader for a moment counts.
  leader = true;
  world.RunFor(milliseconds(1000));
  leader = false;
  world.RunFor(milliseconds(2400));
  EXPECT_EQ(lost, 1);
  world.RunFor(milliseconds(200));  // the third look
  EXPECT_EQ(lost, 2);
  leader = true;
  world.RunFor(milliseconds(1000));
  leader = false;
  monitor.reset();
  world.RunFor(milliseconds(10000));
  EXPECT_EQ(lost, 2);
}

}  // namespace
}  // namespace strata
