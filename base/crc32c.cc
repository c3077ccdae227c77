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

// The instruction takes three cycles but can start in each: three runs of
// kLaneBytes side by side keep it busy.
constexpr size_t kLaneBytes = 256;

// kShift[i][b]: what byte b at place i of a sum becomes when kLaneBytes zeros
// follow.
using ShiftTables = std::array<std::array<uint32_t, 256>, 4>;

constexpr uint32_t AfterZeros(uint32_t crc) {
  for (size_t i = 0; i < kLaneBytes; ++i) {
    crc = crc >> 8 ^ kTables[0][crc & 255];
  }
  return crc;
}

constexpr ShiftTables MakeShiftTables() {
  ShiftTables tables{};
  for (size_t place = 0; place < tables.size(); ++place) {
    for (uint32_t bit = 1; bit < 256; bit *= 2) {
      // Sums are linear: a byte's is the sum of its bits'.
      const uint32_t sum = AfterZeros(bit << (8 * place));
      for (uint32_t b = 0; b < bit; ++b) {
        tables[place][bit + b] = tables[place][b] ^ sum;
      }
    }
  }
  return tables;
}

constexpr ShiftTables kShift = MakeShiftTables();

uint32_t ShiftByLane(uint64_t crc) {
  return kShift[0][crc & 255] ^ kShift[1][crc >> 8 & 255] ^
         kShift[2][crc >> 16 & 255] ^ kShift[3][crc >> 24 & 255];
}

__attribute__((target("sse4.2"))) uint64_t ThreeLanes(uint64_t sum,
                                                      const char* p) {
  uint64_t second = 0;
  uint64_t third = 0;
  for (size_t i = 0; i < kLaneBytes; i += 8) {
    sum = _mm_crc32_u64(sum, LoadLittle64(p + i));
    second = _mm_crc32_u64(second, LoadLittle64(p + i + kLaneBytes));
    third = _mm_crc32_u64(third, LoadLittle64(p + i + 2 * kLaneBytes));
  }
  return ShiftByLane(ShiftByLane(sum) ^ second) ^ third;
}

__attribute__((target("sse4.2"))) uint32_t ExtendHardware(
    uint32_t crc, std::string_view data) {
  uint64_t sum = static_cast<uint32_t>(~crc);
  const char* p = data.data();
  size_t n = data.size();
  constexpr size_t kStep = 3 * kLaneBytes;
  for (; n >= kStep; p += kStep, n -= kStep) sum = ThreeLanes(sum, p);
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
