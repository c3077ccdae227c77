#ifndef STRATA_BASE_CRC32C_H_
#define STRATA_BASE_CRC32C_H_

#include <cstdint>
#include <string_view>

namespace strata::crc32c {

// CRC-32C (Castagnoli), with the processor's instruction where it has one. The
// same numbers as Go's hash/crc32: Extend(Extend(0, a), b) == Value(a + b).
uint32_t Extend(uint32_t crc, std::string_view data);
inline uint32_t Value(std::string_view data) { return Extend(0, data); }

// The table-driven form, for the test that compares the two.
uint32_t ExtendPortable(uint32_t crc, std::string_view data);

}  // namespace strata::crc32c

#endif  // STRATA_BASE_CRC32C_H_
