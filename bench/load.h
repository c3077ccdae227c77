#ifndef STRATA_BENCH_LOAD_H_
#define STRATA_BENCH_LOAD_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/histogram.h"
#include "bench/workload.h"

namespace strata::bench {

struct LoadOptions {
  std::string target = "127.0.0.1:2379";
  int connections = 1;
  int outstanding = 1;  // calls at any time, over all connections
  // Calls before this are made but not counted.
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds duration{3000};
  int server_pid = 0;  // whose CPU time is read; 0: nobody's
  // Calls per second, whose time counts from when each was due; 0: each slot
  // calls again as soon as it is answered.
  double rate = 0;
  // Waits for a server that is not there yet.
  bool wait_for_ready = false;
  // How long a stretch of LoadResult::slowest is; 0: not wanted.
  std::chrono::milliseconds timeline{0};
  // Calls that the server fails are counted, with the time they took; else the
  // first one ends the load.
  bool keep_going = false;
  // Ends the load, from any thread; null: nobody does.
  const std::atomic<bool>* stop = nullptr;
};

struct LoadResult {
  uint64_t calls = 0;   // answered within the time that counts
  uint64_t failed = 0;  // of all, if the load keeps going
  double seconds = 0;
  Histogram latency;
  // The slowest call that was answered in each stretch of time; 0: none was.
  std::vector<std::chrono::nanoseconds> slowest;
  // CPU time, all threads, while it counted.
  std::chrono::nanoseconds client_cpu{0};
  std::chrono::nanoseconds server_cpu{0};
};

// Keeps `outstanding` calls on their way until the time is over or the workload
// ends. One thread does it all.
StatusOr<LoadResult> RunLoad(const LoadOptions& options, Workload* workload);

// CPU time of all threads of a process so far.
StatusOr<std::chrono::nanoseconds> CpuTime(int pid);

}  // namespace strata::bench

#endif  // STRATA_BENCH_LOAD_H_
