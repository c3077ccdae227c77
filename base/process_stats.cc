#include "base/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace strata {
namespace {

// Places in /proc/self/stat behind the name, which is in parentheses.
constexpr int kUserTicks = 11;
constexpr int kSystemTicks = 12;
constexpr int kStartTicks = 19;
constexpr int kVirtualBytes = 20;
constexpr int kResidentPages = 21;

uint64_t Limit(__rlimit_resource resource) {
  rlimit limit = {};
  if (getrlimit(resource, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

uint64_t CountOpenFiles() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  uint64_t entries = 0;
  while (readdir(directory) != nullptr) ++entries;
  closedir(directory);
  return entries >= 3 ? entries - 3 : 0;  // ".", ".." and the directory
}

// Seconds since 1970 at which the system was started.
double BootSeconds() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return 0;
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  stats.max_virtual_bytes = Limit(RLIMIT_AS);
  stats.max_open_files = Limit(RLIMIT_NOFILE);
  stats.open_files = CountOpenFiles();
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return stats;
  std::istringstream fields(line.substr(name_end + 2));
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  std::string field;
  for (int place = 0; fields >> field; ++place) {
    if (place == 0) continue;  // a letter
    const double value = std::stod(field);
    if (place == kUserTicks || place == kSystemTicks) {
      stats.cpu_seconds += value / ticks;
    } else if (place == kStartTicks) {
      stats.start_seconds = BootSeconds() + value / ticks;
    } else if (place == kVirtualBytes) {
      stats.virtual_bytes = static_cast<uint64_t>(value);
    } else if (place == kResidentPages) {
      stats.resident_bytes = static_cast<uint64_t>(value) *
                             static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    }
  }
  return stats;
}

}  // namespace strata
