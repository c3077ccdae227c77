#include "tests/sim/plants.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace strata::sim {
namespace {

constexpr uint64_t kSeeds = 12;

// A simulator that finds nothing shows nothing. These are found soon; all of
// them are looked for by hand: bazel run -c opt //tests/sim:find_plants
class PlantsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(PlantsTest, IsFound) {
  const auto plant =
      std::find_if(Plants().begin(), Plants().end(),
                   [](const Plant& each) { return each.name == GetParam(); });
  ASSERT_NE(plant, Plants().end());
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SimulationOptions options{.seed = seed,
                              .duration = std::chrono::seconds(20)};
    plant->plant(&options);
    if (!Simulate(options).violation.empty()) return;
  }
  FAIL() << "not found in " << kSeeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    Soon, PlantsTest,
    ::testing::Values("a follower keeps what conflicts",
                      "a heartbeat commits what the member may not have",
                      "a batch of the log is not synced",
                      "acknowledged before the sync", "answered when appended",
                      "the hard state is not logged",
                      "a snapshot's members are forgotten by raft",
                      "a read does not ask the leader",
                      "the applied index is older than the data",
                      "the applied index is newer than the data",
                      "a deposed leader's leases run out",
                      "proposed again while the fate is unknown"));

}  // namespace
}  // namespace strata::sim
