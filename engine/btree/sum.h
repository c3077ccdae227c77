#ifndef STRATA_ENGINE_BTREE_SUM_H_
#define STRATA_ENGINE_BTREE_SUM_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace strata::btree {

// bbolt has no checksums but for its metas. Ours lie where bbolt never looks:
// in the last bytes of a page and what follows it, behind all elements; and in
// a meta's page, behind the meta, as the mark that every page of its state has
// one. format.md has the whole of it. All functions here are thread-safe.

struct Sum {
  uint32_t magic;
  uint32_t crc;  // CRC-32C
};
static_assert(sizeof(Sum) == 8);

inline constexpr size_t kSumBytes = sizeof(Sum);
inline constexpr uint32_t kSumMagic = 0x316d7553;   // "Sum1"
inline constexpr uint32_t kMarkMagic = 0x316c6c41;  // "All1"

// What the header, the elements and their bytes may take of a page (or a page
// with those that follow it).
constexpr size_t RoomIn(size_t run_bytes) { return run_bytes - kSumBytes; }
// How many pages are needed for that much.
constexpr uint64_t PagesForBytes(uint64_t bytes, uint32_t page_size) {
  return (bytes + kSumBytes + page_size - 1) / page_size;
}

// Writes the sum of a finished page, with what follows it, into its end.
// REQUIRES: nothing is there yet
void Seal(char* run, size_t bytes);

enum class SumState {
  kNone,   // as bbolt writes it
  kRight,  // every bit is as it was when it was sealed
  kWrong,
};
// `run` is a page with as many that follow it as its header says.
SumState CheckSum(std::string_view run);

// The same of a whole meta page and its mark. The header is left out: all of it
// is known.
void SetMark(char* page, size_t bytes);
// kNone: zeros behind the meta, as bbolt writes them.
SumState CheckMark(std::string_view page);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_SUM_H_
