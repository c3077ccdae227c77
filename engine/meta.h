#ifndef STRATA_ENGINE_META_H_
#define STRATA_ENGINE_META_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

// The records of the meta table that the store keeps, by etcd's names.
namespace strata::meta {

// The last log entry whose effects are in the backend: 8 bytes, big-endian.
inline constexpr std::string_view kConsistentIndex = "consistent_index";
// Its term, the same way; not at every level.
inline constexpr std::string_view kTerm = "term";
// The last compaction that was asked for, and the last that is through: the key
// of {revision, sub 0} in the key table.
inline constexpr std::string_view kScheduledCompact = "scheduledCompactRev";
inline constexpr std::string_view kFinishedCompact = "finishedCompactRev";

inline std::string EncodeNumber(uint64_t number) {
  std::string bytes;
  AppendBig64(&bytes, number);
  return bytes;
}

}  // namespace strata::meta

#endif  // STRATA_ENGINE_META_H_
