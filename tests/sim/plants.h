#ifndef STRATA_TESTS_SIM_PLANTS_H_
#define STRATA_TESTS_SIM_PLANTS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/simulation.h"

namespace strata::sim {

// A mistake that the simulator must find.
struct Plant {
  std::string name;
  std::function<void(SimulationOptions*)> plant;
};

// All there are: of raft, of the log, of the server.
const std::vector<Plant>& Plants();
// The first whose name has `text`; null if none has.
const Plant* FindPlant(std::string_view text);

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_PLANTS_H_
