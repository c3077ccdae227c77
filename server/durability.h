#ifndef STRATA_SERVER_DURABILITY_H_
#define STRATA_SERVER_DURABILITY_H_

#include <chrono>

#include "base/loop.h"

namespace strata {

// What an acknowledged change has survived. In every mode the end of the
// process takes nothing, a power loss leaves a directory that opens, and what
// it has then is all changes up to some one and none after it.
enum class DurabilityMode {
  // A power loss takes nothing that was acknowledged.
  kEachWrite,
  // It takes at most what was acknowledged in the last interval (and while a
  // sync then took its time).
  kInterval,
  // It takes what it takes; nothing waits for the disk.
  kNone,
};

struct Durability {
  DurabilityMode mode = DurabilityMode::kEachWrite;
  Duration interval = std::chrono::milliseconds(100);  // of kInterval
};

}  // namespace strata

#endif  // STRATA_SERVER_DURABILITY_H_
