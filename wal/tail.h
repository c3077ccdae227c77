#ifndef STRATA_WAL_TAIL_H_
#define STRATA_WAL_TAIL_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::wal {

// What follows the last whole record of the last segment.
struct Tail {
  enum class Kind {
    kClean,    // zeros, or nothing
    kTorn,     // a write that a crash cut short; may be zeroed
    kDamaged,  // was written whole once, or cannot come from a crash
  };
  Kind kind = Kind::kClean;
  // Torn: the bytes from the end of the last record that are not zero end here.
  uint64_t end = 0;
  // Why, for people.
  std::string why = {};
};

// Judges what stands at `offset`, where reading stopped, by the bytes alone
// (wal/format.md, "Torn or damaged"). A batch had at most `max_batch_bytes`.
Tail ExamineTail(std::string_view segment, uint64_t offset,
                 uint64_t max_batch_bytes);

}  // namespace strata::wal

#endif  // STRATA_WAL_TAIL_H_
