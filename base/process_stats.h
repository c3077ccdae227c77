#ifndef STRATA_BASE_PROCESS_STATS_H_
#define STRATA_BASE_PROCESS_STATS_H_

#include <cstdint>

namespace strata {

// What the system says of this process. A value; 0 where it does not tell.
struct ProcessStats {
  double cpu_seconds = 0;    // of all its threads, in the kernel and outside
  double start_seconds = 0;  // when it began, since 1970
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t max_virtual_bytes = 0;  // UINT64_MAX: no limit
  uint64_t open_files = 0;
  uint64_t max_open_files = 0;
};

// Reads it anew; some ten system calls.
ProcessStats ReadProcessStats();

}  // namespace strata

#endif  // STRATA_BASE_PROCESS_STATS_H_
