#ifndef STRATA_TESTS_SIM_SIMULATION_H_
#define STRATA_TESTS_SIM_SIMULATION_H_

#include <array>
#include <cstdint>
#include <string>

#include "raft/planted_bugs.h"
#include "server/planted_bugs.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/timeline.h"
#include "tests/sim/workload.h"
#include "wal/planted_bugs.h"

namespace strata::sim {

struct SimulationOptions {
  uint64_t seed = 1;
  size_t members = 3;
  // With faults; some more time goes by until all has healed.
  Duration duration = std::chrono::seconds(60);
  bool faults = true;
  WorkloadOptions workload = {};
  raft::PlantedBugs raft_bugs = {};
  PlantedBugs wal_bugs = {};
  ServerBugs bugs = {};
  // What happened is written down for a page; null: not.
  Timeline* timeline = nullptr;
};

struct Outcome {
  std::string violation;  // empty: none
  // What happened last; of a violation.
  std::string story;
  Duration simulated{};
  uint64_t operations = 0;
  uint64_t failed = 0;  // of them; their fate is not known
  uint64_t revisions = 0;
  uint64_t watch_events = 0;
  uint64_t messages = 0;
  uint64_t snapshots = 0;
  uint64_t elections = 0;
  uint64_t rots_found = 0;  // flipped bits that a member noticed
  std::array<uint64_t, kFaults> faults{};
};

// One run, all of it decided by the seed: a cluster of whole nodes, clients,
// faults; then everything is healed, must work and be equal everywhere.
Outcome Simulate(const SimulationOptions& options);

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_SIMULATION_H_
