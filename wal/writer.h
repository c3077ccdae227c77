#ifndef STRATA_WAL_WRITER_H_
#define STRATA_WAL_WRITER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "base/status.h"
#include "raft/types.h"
#include "wal/planted_bugs.h"
#include "wal/reader.h"
#include "wal/segment_preparer.h"
#include "wal/wal.h"

namespace strata::wal {

// What the records up to some place of the log amount to.
struct LogPoint {
  uint32_t crc = 0;  // the sum
  LogIndex last_index = {};
  raft::HardState hard_state = {};
};

// The log, open for appending: gathers records and writes them behind the end
// of the last segment.
class Writer final : public Wal {
 public:
  // `segments` are open and locked; the last one ends at `end`, with zeros
  // behind. `fill` may be filling it.
  Writer(Env* env, std::string directory, std::string metadata,
         const WalOptions& options, Logger* logger,
         std::vector<Segment> segments, uint64_t end, const LogPoint& point,
         std::shared_ptr<ZeroFill> fill);
  ~Writer() override;

  // To be called once, before all others.
  Status Init();

  void Append(std::span<const raft::Entry> entries,
              const raft::HardState& hard_state) override;
  void AppendEncoded(LogIndex index, Term term,
                     std::string_view entry) override;
  void AppendHardState(const raft::HardState& hard_state) override;
  void AppendSnapshot(const WalSnapshot& snapshot) override;
  uint64_t PendingBytes() const override { return pending_.size(); }
  Status Sync() override;
  Status Write() override;
  Status ReleaseTo(LogIndex index, uint64_t keep) override;
  Stats GetStats() const override;

 private:
  File* tail() { return segments_.back().file.get(); }
  void Gather(RecordType type, std::string_view data);

  Status Put(bool sync);
  Status Flush(bool sync);
  Status MakeRoom();
  Status Die(const Status& status);
  Status WriteBatch(std::string_view batch, bool sync);
  Status WritePart(std::string_view part, bool sync);
  Status SyncWhole();
  Status SyncTail();
  Status SyncDirectory();
  void DropPending();

  Status Rotate();
  Status WriteHeader(File* file, std::string_view header);
  void Adopt(PreparedSegment next, const SegmentName& name,
             uint64_t header_bytes, uint32_t crc);
  void TrimLastSegment();
  void Reframe();

  // Constant after construction.
  Env* const env_;
  const std::string directory_;
  const std::string metadata_;
  const WalOptions options_;
  const PlantedBugs bugs_;
  Logger* const logger_;

  // Owned by the log's thread.
  std::vector<Segment> segments_;   // the last one is written
  std::shared_ptr<ZeroFill> fill_;  // of the last one; null if none
  uint64_t end_;                    // of the records in the last one
  uint64_t allocated_ = 0;          // of the last one
  bool fresh_ = false;              // the last one has only its header
  uint64_t unsynced_ = 0;           // bytes before end_
  LogPoint written_;                // at end_
  LogPoint gathered_;               // at the end of pending_
  std::string pending_;             // records gathered since the last Sync
  std::string scratch_;             // one record's data, or pending_ anew
  Status dead_;
  Stats stats_;
  SegmentPreparer preparer_;
};

}  // namespace strata::wal

#endif  // STRATA_WAL_WRITER_H_
