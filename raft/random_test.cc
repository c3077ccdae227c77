#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "raft/planted_bugs.h"
#include "raft/raft_testing.h"
#include "raft/random_schedule_testing.h"

// bazel run //raft:random_test -- --first=N --seeds=N --steps=N
namespace strata::raft {
namespace {

uint64_t first_seed = 1;
uint64_t seeds = 150;
uint64_t plant_seeds = 50;
int steps = 3000;

void Add(const RandomSchedule::Counts& one, RandomSchedule::Counts* all) {
  all->committed += one.committed;
  all->elections += one.elections;
  all->crashes += one.crashes;
  all->changes += one.changes;
  all->snapshots += one.snapshots;
  all->reads += one.reads;
}

TEST(RandomTest, TheInvariantsHoldAndTheClusterRecovers) {
  RandomSchedule::Counts all;
  for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    RandomSchedule schedule(seed);
    const std::string violated = schedule.Run(steps);
    ASSERT_EQ(violated, "")
        << "seed=" << seed
        << "\nbazel run //raft:random_test -- --first=" << seed
        << " --seeds=1 --steps=" << steps << "\n"
        << schedule.LastLines();
    Add(schedule.counts(), &all);
  }
  std::cout << seeds << " seeds of " << steps << " steps: " << all.committed
            << " entries committed, " << all.elections << " terms, "
            << all.crashes << " crashes, " << all.changes << " changes, "
            << all.snapshots << " snapshots, " << all.reads << " reads\n";
  // A schedule in which nothing happens would show nothing.
  EXPECT_GT(all.committed, 20 * seeds);
  EXPECT_GT(all.crashes, seeds);
}

TEST(RandomTest, TheSameSeedGivesTheSameRun) {
  RandomSchedule one(7);
  RandomSchedule two(7);
  EXPECT_EQ(one.Run(1000), two.Run(1000));
  EXPECT_EQ(one.counts().committed, two.counts().committed);
  EXPECT_EQ(one.counts().elections, two.counts().elections);
}

// How many seeds each takes: bazel run //raft:random_test -- --plants=2000
// --gtest_filter='*IsFound*'. Those that need a rare order of events are left
// out of the quick run; a story has each of them (raft/testdata: "bug=").
bool IsRare(const std::string& name) {
  return name == "commit_old_term" || name == "any_read_round" ||
         name == "persist_replaced";
}

class PlantedBugTest : public testing::TestWithParam<Plant> {};

TEST_P(PlantedBugTest, IsFound) {
  PlantedBugs bugs;
  bugs.*GetParam().bug = true;
  if (IsRare(GetParam().name) && plant_seeds <= 50) GTEST_SKIP() << "rare";
  for (uint64_t seed = first_seed; seed < first_seed + plant_seeds; ++seed) {
    RandomSchedule schedule(seed, &bugs);
    const std::string violated = schedule.Run(steps);
    if (violated.empty()) continue;
    if (seed == first_seed) std::cout << schedule.LastLines();
    std::cout << "| " << GetParam().name << " | " << seed - first_seed + 1
              << " | " << violated << " |\n";
    return;
  }
  FAIL() << "not found";
}

INSTANTIATE_TEST_SUITE_P(Plants, PlantedBugTest, testing::ValuesIn(AllPlants()),
                         [](const auto& plant) {
                           return std::string(plant.param.name);
                         });

}  // namespace
}  // namespace strata::raft

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const size_t equals = flag.find('=');
    if (equals == std::string::npos) continue;
    const uint64_t value = std::stoull(flag.substr(equals + 1));
    if (flag.starts_with("--first=")) strata::raft::first_seed = value;
    if (flag.starts_with("--seeds=")) strata::raft::seeds = value;
    if (flag.starts_with("--plants=")) strata::raft::plant_seeds = value;
    if (flag.starts_with("--steps=")) {
      strata::raft::steps = static_cast<int>(value);
    }
  }
  return RUN_ALL_TESTS();
}
