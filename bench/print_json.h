#ifndef STRATA_BENCH_PRINT_JSON_H_
#define STRATA_BENCH_PRINT_JSON_H_

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/status.h"

namespace strata::bench {

// What a program that measures one thing ends with: its result as a line of
// JSON for the script that runs it, or the error. Returns the exit code.
inline int PrintJson(const StatusOr<nlohmann::ordered_json>& result) {
  if (!result.ok()) {
    std::cerr << result.status().ToString() << "\n";
    return 1;
  }
  std::cout << result->dump() << "\n";
  return 0;
}

}  // namespace strata::bench

#endif  // STRATA_BENCH_PRINT_JSON_H_
