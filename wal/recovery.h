#ifndef STRATA_WAL_RECOVERY_H_
#define STRATA_WAL_RECOVERY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "wal/reader.h"
#include "wal/wal.h"

namespace strata::wal {

// Checks the meaning of records in their order (the frames and sums are
// WalReader's) and collects what they say. DataLoss for what no member writes.
class Replay {
 public:
  // Collects the entries after `start`; `first_index` is that of the first
  // segment read.
  Replay(const WalSnapshot& start, LogIndex first_index);

  Status Add(const Record& record);

  // To be called once all records are in.
  Status CheckEnd(LogIndex durable_index) const;

  // That of the last entry, or of a snapshot beyond it.
  LogIndex last_index() const { return last_index_; }
  bool has_metadata() const { return has_metadata_; }
  WalContent& content() { return content_; }

 private:
  Status AddMetadata(std::string_view data);
  Status AddEntry(std::string_view data);
  Status CheckEntry(const raft::Entry& entry) const;
  Status AddState(std::string_view data);
  Status AddSnapshot(std::string_view data);

  const WalSnapshot start_;
  WalContent content_;
  bool has_metadata_ = false;
  bool start_found_ = false;
  // Of the entry at the start, if the log has it.
  std::optional<Term> term_at_start_;
  LogIndex last_index_;
};

// A log that was read to its end.
struct LogImage {
  std::vector<Segment> segments;
  WalContent content;
  LogIndex last_index;
  uint64_t end = 0;       // of the last record, in the last segment
  uint64_t last = 0;      // its begin
  uint32_t crc = 0;       // the sum there
  uint64_t torn_end = 0;  // what is not zero from `end` to here is torn
};

// Reads all of it and decides what its tail is. Changes nothing.
StatusOr<LogImage> ReadLog(std::vector<Segment> segments,
                           const WalSnapshot& start, LogIndex durable_index,
                           uint64_t max_batch_bytes);

}  // namespace strata::wal

#endif  // STRATA_WAL_RECOVERY_H_
