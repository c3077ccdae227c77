#include "bench/process_stat.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace strata::bench {
namespace {

// The number behind `name:` in a file of /proc.
uint64_t NumberIn(const std::string& file, const std::string& name) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with(name + ":")) {
      return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10);
    }
  }
  return 0;
}

std::string TextIn(const std::string& file, const std::string& name) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    const size_t colon = line.find(": ");
    if (line.starts_with(name) && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown processor";
}

}  // namespace

ProcessStat ReadProcessStat() {
  constexpr uint64_t kKilobyte = 1024;
  const std::string status = "/proc/self/status";
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) +
           static_cast<double>(time.tv_usec) / 1e6;
  };
  return {.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime),
          .written_bytes = NumberIn("/proc/self/io", "write_bytes"),
          .rss_anon_bytes = NumberIn(status, "RssAnon") * kKilobyte,
          .rss_file_bytes = NumberIn(status, "RssFile") * kKilobyte};
}

uint64_t DirectoryBytes(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code gone;  // a file may be removed meanwhile
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory, gone)) {
    const uint64_t size = entry.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

std::string DescribeMachine() {
  utsname name{};
  uname(&name);
  double load = 0;
  getloadavg(&load, 1);
  return TextIn("/proc/cpuinfo", "model name") + ", " +
         std::to_string(std::thread::hardware_concurrency()) +
         " cores, Linux " + name.release + ", load " +
         std::to_string(load).substr(0, 4);
}

}  // namespace strata::bench
