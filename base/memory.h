#ifndef STRATA_BASE_MEMORY_H_
#define STRATA_BASE_MEMORY_H_

#include <cstdint>
#include <string_view>

namespace strata {

// Bytes of memory that the machine could give to a program now without
// swapping, caches that can be dropped included; 0 if it does not tell.
uint64_t AvailableMemoryBytes();

// The same out of the text of /proc/meminfo.
uint64_t ParseAvailableMemory(std::string_view meminfo);

}  // namespace strata

#endif  // STRATA_BASE_MEMORY_H_
