#include "base/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <string>

namespace strata {

uint64_t AvailableMemoryBytes() {
  std::ifstream file("/proc/meminfo");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return ParseAvailableMemory(text);
}

uint64_t ParseAvailableMemory(std::string_view meminfo) {
  constexpr std::string_view kName = "MemAvailable:";
  const size_t at = meminfo.find(kName);
  if (at == std::string_view::npos) return 0;
  meminfo.remove_prefix(at + kName.size());
  meminfo.remove_prefix(
      std::min(meminfo.find_first_not_of(' '), meminfo.size()));
  uint64_t kib = 0;
  std::from_chars(meminfo.data(), meminfo.data() + meminfo.size(), kib);
  return kib << 10;
}

}  // namespace strata
