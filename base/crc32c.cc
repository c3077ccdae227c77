#include "base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace strata::crc32c {

namespace {

// The Castagnoli polynomial, bits reversed.
constexpr uint32_t kPolynomial = 0x82f63b78;

// kTables[k][b]: the sum of byte b followed by k zero bytes.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1) != 0 ? crc >> 1 ^ kPolynomial : crc >> 1;
    }
    tables[0][b] = crc;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (size_t b = 0; b < 256; ++b) {
      const uint32_t before = tables[k - 1][b];
      tables[k][b] = before >> 8 ^ tables[0][before & 255];
    }
  }
  return tables;
}

constexpr Tables kTables = MakeTables();

uint32_t EightBytes(uint32_t crc, const char* p) {
  const uint64_t v = LoadLittle64(p) ^ crc;
  uint32_t sum = 0;
  for (size_t i = 0; i < 8; ++i) sum ^= kTables[7 - i][v >> (8 * i) & 255];
  return sum;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) uint32_t ExtendHardware(
    uint32_t crc, std::string_view data) {
  uint64_t sum = static_cast<uint32_t>(~crc);
  const char* p = data.data();
  size_t n = data.size();
  for (; n >= 8; p += 8, n -= 8) sum = _mm_crc32_u64(sum, LoadLittle64(p));
  auto tail = static_cast<uint32_t>(sum);
  for (; n > 0; ++p, --n) tail = _mm_crc32_u8(tail, static_cast<uint8_t>(*p));
  return ~tail;
}

#endif

}  // namespace

uint32_t ExtendPortable(uint32_t crc, std::string_view data) {
  uint32_t sum = ~crc;
  const char* p = data.data();
  size_t n = data.size();
  for (; n >= 8; p += 8, n -= 8) sum = EightBytes(sum, p);
  for (; n > 0; ++p, --n) {
    sum = sum >> 8 ^ kTables[0][(sum ^ static_cast<uint8_t>(*p)) & 255];
  }
  return ~sum;
}

uint32_t Extend(uint32_t crc, std::string_view data) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ExtendHardware(crc, data);
#endif
  return ExtendPortable(crc, data);
}

}  // namespace strata::crc32c
