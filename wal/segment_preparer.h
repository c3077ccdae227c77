#ifndef STRATA_WAL_SEGMENT_PREPARER_H_
#define STRATA_WAL_SEGMENT_PREPARER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/logger.h"
#include "base/status.h"
#include "wal/wal.h"
#include "wal/zero_fill.h"

namespace strata::wal {

// A file that is to become a segment: allocated, locked, nothing in it.
struct PreparedSegment {
  std::string path = {};
  std::unique_ptr<File> file = {};
  std::shared_ptr<ZeroFill> fill = {};  // may still be running; null if none
};

// Keeps one segment ready ahead of need, as `0.tmp` or `1.tmp`: allocated at
// once, so that a full disk shows early, and filled with zeros in the
// background. Used by the log's thread.
class SegmentPreparer {
 public:
  SegmentPreparer(Env* env, std::string directory, const WalOptions& options,
                  Logger* logger);
  // Removes what was prepared.
  ~SegmentPreparer();

  // Prepares the segment `sequence`. After an error Take() makes one.
  void Start(uint64_t sequence);

  // The one prepared, or one made now. ResourceExhausted leaves nothing behind
  // and may be tried again.
  StatusOr<PreparedSegment> Take(uint64_t sequence);

  // Removes one that could not be used.
  void Discard(PreparedSegment segment);

  // Removes what an earlier process had prepared.
  static Status RemoveLeftovers(Env* env, const std::string& directory);

  // Allocates `file` and begins to fill it from `begin` on; null if there is no
  // loop for it.
  static StatusOr<std::shared_ptr<ZeroFill>> Fill(Env* env, File* file,
                                                  uint64_t begin,
                                                  const WalOptions& options);

 private:
  StatusOr<PreparedSegment> Make(uint64_t sequence);
  Status Prepare(PreparedSegment* segment);

  Env* const env_;
  const std::string directory_;
  const WalOptions options_;
  Logger* const logger_;
  PreparedSegment ready_;  // no file: none
};

}  // namespace strata::wal

#endif  // STRATA_WAL_SEGMENT_PREPARER_H_
