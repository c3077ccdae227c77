#ifndef STRATA_ENGINE_SCRUB_H_
#define STRATA_ENGINE_SCRUB_H_

#include <chrono>
#include <cstdint>

#include "base/loop.h"

namespace strata {

// What a scrub reads if nothing else is asked for: 8 GB in 35 minutes.
inline constexpr uint64_t kScrubBytesPerSecond = 4 << 20;

// The backend's own check of its checksums, in the background.
struct ScrubOptions {
  uint64_t bytes_per_second = 0;  // 0: there is none
  // From one pass through the file to the next.
  Duration pause = std::chrono::hours(24);
};

struct ScrubStats {
  uint64_t passes = 0;  // that came to the file's end
  uint64_t bytes = 0;
  uint64_t faults = 0;  // one that stays is met in each pass
};

}  // namespace strata

#endif  // STRATA_ENGINE_SCRUB_H_
