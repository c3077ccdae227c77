// Runs the simulator: --seed=N for one run, --seeds=N runs or --minutes=M of
// runs, from --first on. --seconds: simulated, of each run.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "tests/sim/simulation.h"

namespace strata::sim {
namespace {

struct Flags {
  uint64_t first = 1;
  uint64_t seeds = 1;
  double minutes = 0;
  uint64_t seconds = 60;
  uint64_t members = 3;
  bool faults = true;
};

bool ReadFlag(std::string_view argument, Flags* flags) {
  const size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view name = argument.substr(0, equals);
  const std::string value(argument.substr(equals + 1));
  if (name == "--seed" || name == "--first") {
    flags->first = std::stoull(value);
  } else if (name == "--seeds") {
    flags->seeds = std::stoull(value);
  } else if (name == "--minutes") {
    flags->minutes = std::stod(value);
    flags->seeds = UINT64_MAX;
  } else if (name == "--seconds") {
    flags->seconds = std::stoull(value);
  } else if (name == "--members") {
    flags->members = std::stoull(value);
  } else if (name == "--faults") {
    flags->faults = value != "0";
  } else {
    return false;
  }
  return true;
}

struct Totals {
  uint64_t seeds = 0;
  double simulated = 0;
  uint64_t operations = 0;
  uint64_t failed = 0;
  uint64_t snapshots = 0;
  uint64_t elections = 0;
  uint64_t faults = 0;

  void Add(const Outcome& outcome) {
    ++seeds;
    simulated += std::chrono::duration<double>(outcome.simulated).count();
    operations += outcome.operations;
    failed += outcome.failed;
    snapshots += outcome.snapshots;
    elections += outcome.elections;
    for (const uint64_t count : outcome.faults) faults += count;
  }
};

double Elapsed(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since)
      .count();
}

void PrintProgress(const Totals& totals, double elapsed) {
  std::cout << "seeds " << totals.seeds << ", simulated "
            << static_cast<uint64_t>(totals.simulated) << " s ("
            << static_cast<uint64_t>(totals.simulated / elapsed)
            << " per second), operations " << totals.operations << " ("
            << totals.failed << " not answered), elections " << totals.elections
            << ", snapshots " << totals.snapshots << ", faults "
            << totals.faults << std::endl;
}

int Run(const Flags& flags) {
  const auto begin = std::chrono::steady_clock::now();
  auto printed = begin;
  Totals totals;
  for (uint64_t i = 0; i < flags.seeds; ++i) {
    if (flags.minutes > 0 && Elapsed(begin) > flags.minutes * 60) break;
    const uint64_t seed = flags.first + i;
    const Outcome outcome =
        Simulate({.seed = seed,
                  .members = flags.members,
                  .duration = std::chrono::seconds(flags.seconds),
                  .faults = flags.faults});
    totals.Add(outcome);
    if (!outcome.violation.empty()) {
      std::cout << outcome.story << "\nseed=" << seed << ": "
                << outcome.violation
                << "\nagain: bazel run //tests/sim -- --seed=" << seed
                << " --seconds=" << flags.seconds
                << " --members=" << flags.members
                << " --faults=" << (flags.faults ? 1 : 0) << std::endl;
      return EXIT_FAILURE;
    }
    if (Elapsed(printed) > 5) {
      PrintProgress(totals, Elapsed(begin));
      printed = std::chrono::steady_clock::now();
    }
  }
  PrintProgress(totals, Elapsed(begin));
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace strata::sim

int main(int argc, char** argv) {
  strata::sim::Flags flags;
  for (int i = 1; i < argc; ++i) {
    if (!strata::sim::ReadFlag(argv[i], &flags)) {
      std::cerr << "usage: sim [--seed=N] [--seeds=N] [--minutes=M] "
                   "[--seconds=S] [--members=N] [--faults=0|1]\n";
      return 2;
    }
  }
  return strata::sim::Run(flags);
}
