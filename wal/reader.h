#ifndef STRATA_WAL_READER_H_
#define STRATA_WAL_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "wal/format.h"

namespace strata::wal {

struct Segment {
  SegmentName name = {};
  std::string path = {};
  std::unique_ptr<File> file = {};  // null if it need not be read
};

// The names of the segments in `directory`, in sequence order. DataLoss for a
// `.wal` file whose name is no segment's; other files are not looked at.
StatusOr<std::vector<SegmentName>> ListSegments(Env* env,
                                                const std::string& directory);

// Of `names`, those a reader of what follows `index` needs: from the last one
// that starts at or before `index`. NotFound if all start after it, DataLoss if
// one of them is missing.
StatusOr<std::vector<SegmentName>> SelectSegments(
    const std::vector<SegmentName>& names, const std::string& directory,
    LogIndex index);

// The last of `names` that have no gap in their sequence.
std::vector<SegmentName> NewestRun(const std::vector<SegmentName>& names);

// Opens them; for writing, they are locked too.
StatusOr<std::vector<Segment>> OpenSegments(
    Env* env, const std::string& directory,
    const std::vector<SegmentName>& names, OpenMode mode);

// Walks the records of consecutive segments and checks frames and sums. Changes
// nothing; a log that is being written may be read. Used by one thread; holds
// one segment in memory.
//
//   WalReader reader(OpenSegments(...));
//   while (reader.Next()) Show(reader.path(), reader.offset(),
//   reader.record()); if (!reader.status().ok()) ...
class WalReader {
 public:
  explicit WalReader(std::vector<Segment> segments);

  // Goes to the next record; false at the end and at the first fault.
  bool Next();

  // The record Next() went to; valid until the next call.
  const Record& record() const { return frame_.record; }
  // Where it is or, after Next() returned false, where reading stopped.
  const std::string& path() const { return segments_[current_].path; }
  uint64_t offset() const { return offset_; }
  // The sum after the last record.
  uint32_t crc() const { return chain_.value_or(0); }

  // After Next() returned false: DataLoss with file and offset if what stands
  // there is no record; or what kept the file from being read.
  const Status& status() const { return status_; }
  // After Next() returned false: whether that was in the last segment, so that
  // it may be a torn tail; then what the segment holds.
  bool in_last_segment() const { return current_ + 1 == segments_.size(); }
  std::string_view segment() const;

  // The open files, back.
  std::vector<Segment> TakeSegments() { return std::move(segments_); }

 private:
  bool Stop(Status status);
  Status Fault(std::string_view what) const;
  Status LoadSegment();
  Status CheckRecord();
  Status CheckCrcRecord();

  std::vector<Segment> segments_;
  size_t current_ = 0;
  std::unique_ptr<char[]> content_;  // of the current segment
  uint64_t content_bytes_ = 0;
  bool loaded_ = false;
  bool stopped_ = false;
  uint64_t offset_ = 0;
  Frame frame_;
  std::optional<uint32_t> chain_;  // the sum so far; none before the first
  Status status_;
};

}  // namespace strata::wal

#endif  // STRATA_WAL_READER_H_
