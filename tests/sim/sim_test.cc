#include <gtest/gtest.h>

#include "tests/regress/seeds.h"
#include "tests/sim/simulation.h"

namespace strata::sim {
namespace {

// Fresh ones by hand: bazel run //tests/sim. Here the same each time, so that a
// change of the code alone decides.
constexpr uint64_t kFirstSeed = 1000;
constexpr uint64_t kSeeds = 6;

void Expect(const SimulationOptions& options) {
  const Outcome outcome = Simulate(options);
  EXPECT_EQ(outcome.violation, "")
      << outcome.story
      << "again: bazel run //tests/sim -- --seed=" << options.seed
      << " --seconds="
      << std::chrono::duration_cast<std::chrono::seconds>(options.duration)
             .count()
      << " --members=" << options.members;
}

TEST(SimTest, NothingIsWrongUnderFaults) {
  for (uint64_t seed = kFirstSeed; seed < kFirstSeed + kSeeds; ++seed) {
    Expect({.seed = seed, .duration = std::chrono::seconds(20)});
  }
}

TEST(SimTest, NothingIsWrongInASmallAndALargeCluster) {
  Expect({.seed = 1, .members = 2, .duration = std::chrono::seconds(15)});
  Expect({.seed = 2, .members = 5, .duration = std::chrono::seconds(15)});
}

// What has gone wrong once.
TEST(SimTest, KeptSeedsStayRight) {
  for (const regress::SimSeed& kept : regress::kSimSeeds) {
    SCOPED_TRACE(kept.what);
    Expect({.seed = kept.seed,
            .members = kept.members,
            .duration = std::chrono::seconds(kept.seconds)});
  }
}

// The same seed is the same run.
TEST(SimTest, ARunIsRepeated) {
  const SimulationOptions options{.seed = 42,
                                  .duration = std::chrono::seconds(10)};
  const Outcome first = Simulate(options);
  const Outcome again = Simulate(options);
  EXPECT_EQ(first.messages, again.messages);
  EXPECT_EQ(first.revisions, again.revisions);
  EXPECT_EQ(first.operations, again.operations);
  EXPECT_EQ(first.simulated, again.simulated);
}

}  // namespace
}  // namespace strata::sim
