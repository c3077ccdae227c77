#ifndef STRATA_CMD_UTL_LOG_WALK_H_
#define STRATA_CMD_UTL_LOG_WALK_H_

#include <functional>
#include <string>
#include <vector>

#include "cmd/utl/context.h"
#include "wal/reader.h"
#include "wal/tail.h"

namespace strata::utl {

// A piece of a segment, as a walk over the log meets it.
struct LogPiece {
  enum class Kind {
    kRecord,   // `record`
    kZeros,    // from the last record to the segment's end: not yet used
    kTorn,     // a write that a crash cut short; a start cuts it off
    kDamaged,  // `fault` says what is wrong; the rest of the segment is unread
  };
  Kind kind = Kind::kRecord;
  const wal::SegmentName& segment;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  const wal::Record* record = nullptr;
  Status fault = {};
};

// Walks all segments of a log that is not in use, from the first to the last.
// Behind damage it goes on with the next segment. `visit` gets every byte in
// order; false ends the walk. Not OK if the log cannot be read, is in use or
// lacks a segment (which is told when all the others were shown).
Status WalkLog(const Context& context, const std::string& directory,
               const std::function<bool(const LogPiece&)>& visit);

// All segments, locked: Unavailable, naming who holds one, if in use.
StatusOr<std::vector<wal::Segment>> OpenLog(
    Env* env, const std::string& directory,
    const std::vector<wal::SegmentName>& names);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_LOG_WALK_H_
