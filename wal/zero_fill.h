#ifndef STRATA_WAL_ZERO_FILL_H_
#define STRATA_WAL_ZERO_FILL_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/env.h"
#include "base/loop.h"
#include "base/status.h"

namespace strata::wal {

// Writes zeros into an allocated file, piece by piece on a loop, each piece
// synced, so that a later write there need not change the file's metadata: a
// fdatasync then costs half. The file may be in use: whoever writes records
// into it from the front claims the bytes before, and zeros only ever go behind
// what is claimed. While the next 8 MiB are ready there is time: an eighth of
// the speed, as each piece's sync is in the way of the log's.
//
// Thread-safe. Shared by its owner and by the step it has posted, which may run
// after the owner has gone.
class ZeroFill : public std::enable_shared_from_this<ZeroFill> {
 public:
  // `file` is for this alone: the failure of a sync is told once to each open
  // file, and what could not be written may be the log's. `bytes_per_second` 0
  // is no bound.
  ZeroFill(std::unique_ptr<File> file, uint64_t begin, uint64_t end, Loop* loop,
           uint64_t bytes_per_second);

  void Start();

  // From here on, nothing is written before `end`.
  void Claim(uint64_t end);

  // Nothing is written any more once this returns. Waits for a running step.
  void Stop();

  // Not OK if a write or sync failed; the rest of the file is then as it was.
  Status status();

 private:
  void Step();
  bool WritePiece();
  Duration Pause();

  const uint64_t end_;
  Loop* const loop_;
  const Duration pause_;     // between two pieces that are needed soon
  const std::string zeros_;  // a piece

  std::mutex step_mutex_;  // held while a step runs; taken before claim_mutex_
  std::unique_ptr<File> file_;  // GUARDED_BY(step_mutex_); null once stopped
  std::mutex claim_mutex_;
  uint64_t next_;     // GUARDED_BY(claim_mutex_); where the next zeros go
  uint64_t claimed_;  // GUARDED_BY(claim_mutex_)
  Status status_;     // GUARDED_BY(claim_mutex_)
};

}  // namespace strata::wal

#endif  // STRATA_WAL_ZERO_FILL_H_
