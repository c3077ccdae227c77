// Plants each mistake and looks for it: how many seeds, and how much simulated
// time, until the simulator finds it. --seeds=N and --minutes=M at most for
// each; --only=TEXT: those whose name has it.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "tests/sim/plants.h"

namespace strata::sim {
namespace {

struct Flags {
  uint64_t seeds = 200;
  uint64_t seconds = 20;
  double minutes = 3;
  std::string only;
};

// False if it is not found.
bool Find(const Plant& plant, const Flags& flags) {
  const auto begin = std::chrono::steady_clock::now();
  const auto late = [&] {
    return std::chrono::steady_clock::now() - begin >
           std::chrono::duration<double>(flags.minutes * 60);
  };
  double simulated = 0;
  uint64_t seed = 1;
  for (; seed <= flags.seeds && !late(); ++seed) {
    SimulationOptions options{.seed = seed,
                              .duration = std::chrono::seconds(flags.seconds)};
    plant.plant(&options);
    const Outcome outcome = Simulate(options);
    simulated += std::chrono::duration<double>(outcome.simulated).count();
    if (outcome.violation.empty()) continue;
    std::cout << "| " << plant.name << " | " << seed << " | "
              << static_cast<uint64_t>(simulated) << " s | "
              << outcome.violation << " |" << std::endl;
    return true;
  }
  std::cout << "| " << plant.name << " | not in " << seed - 1 << " | "
            << static_cast<uint64_t>(simulated) << " s | |" << std::endl;
  return false;
}

int Run(const Flags& flags) {
  size_t found = 0;
  size_t tried = 0;
  for (const Plant& plant : Plants()) {
    if (plant.name.find(flags.only) == std::string::npos) continue;
    ++tried;
    found += Find(plant, flags) ? 1 : 0;
  }
  std::cout << found << " of " << tried << " found" << std::endl;
  return found == tried ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace strata::sim

int main(int argc, char** argv) {
  strata::sim::Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::string value(argument.substr(argument.find('=') + 1));
    if (argument.starts_with("--seeds=")) {
      flags.seeds = std::stoull(value);
    } else if (argument.starts_with("--seconds=")) {
      flags.seconds = std::stoull(value);
    } else if (argument.starts_with("--minutes=")) {
      flags.minutes = std::stod(value);
    } else if (argument.starts_with("--only=")) {
      flags.only = value;
    } else {
      std::cerr << "usage: find_plants [--seeds=N] [--seconds=S] [--minutes=M] "
                   "[--only=TEXT]\n";
      return 2;
    }
  }
  return strata::sim::Run(flags);
}
