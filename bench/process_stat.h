#ifndef STRATA_BENCH_PROCESS_STAT_H_
#define STRATA_BENCH_PROCESS_STAT_H_

#include <cstdint>
#include <string>

namespace strata::bench {

// What Linux says of this process, in /proc/self.
struct ProcessStat {
  double cpu_seconds = 0;       // of all threads, in and out of the kernel
  uint64_t written_bytes = 0;   // made dirty or written past the page cache
  uint64_t rss_anon_bytes = 0;  // private memory
  uint64_t rss_file_bytes = 0;  // pages of mapped files, shared with the cache
};
ProcessStat ReadProcessStat();

// Of all files below `directory`, as `ls` shows their sizes.
uint64_t DirectoryBytes(const std::string& directory);

// "AMD EPYC ..., 2 cores, Linux 6.1.0, load 0.5"
std::string DescribeMachine();

}  // namespace strata::bench

#endif  // STRATA_BENCH_PROCESS_STAT_H_
