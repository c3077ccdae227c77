#include "wal/recovery.h"

#include <algorithm>

#include "wal/tail.h"

namespace strata::wal {
namespace {

// More elections than a cluster can hold. A state record whose type was damaged
// into an entry's has a member id where the term is.
constexpr Term kMaxTerm{uint64_t{1} << 40};

std::string Number(LogIndex index) { return std::to_string(index.value()); }

}  // namespace

Replay::Replay(const WalSnapshot& start, LogIndex first_index)
    : start_(start),
      last_index_(first_index == LogIndex(0) ? first_index : first_index - 1) {}

Status Replay::Add(const Record& record) {
  if (record.type == RecordType::kCrc) return Status::Ok();
  if (!has_metadata_ && record.type != RecordType::kMetadata) {
    return DataLossError("the log does not start with metadata");
  }
  switch (record.type) {
    case RecordType::kMetadata:
      return AddMetadata(record.data);
    case RecordType::kEntry:
      return AddEntry(record.data);
    case RecordType::kState:
      return AddState(record.data);
    case RecordType::kSnapshot:
      return AddSnapshot(record.data);
    case RecordType::kCrc:
      break;
  }
  return DataLossError("unknown record type " +
                       std::to_string(static_cast<uint64_t>(record.type)));
}

Status Replay::AddMetadata(std::string_view data) {
  if (has_metadata_ && content_.metadata != data) {
    return DataLossError("the metadata differ from those of the first segment");
  }
  has_metadata_ = true;
  content_.metadata.assign(data);
  return Status::Ok();
}

Status Replay::CheckEntry(const raft::Entry& entry) const {
  if (entry.index == LogIndex(0) || entry.index > last_index_ + 1) {
    return DataLossError("entry " + Number(entry.index) + " follows entry " +
                         Number(last_index_));
  }
  if (entry.index <= last_index_ && entry.index <= content_.hard_state.commit) {
    return DataLossError("entry " + Number(entry.index) + " comes again, but " +
                         Number(content_.hard_state.commit) + " is committed");
  }
  if (entry.term > kMaxTerm) {
    return DataLossError("entry " + Number(entry.index) + " has term " +
                         std::to_string(entry.term.value()));
  }
  if (entry.type == raft::EntryType::kConfChange && entry.data.empty()) {
    return DataLossError("entry " + Number(entry.index) +
                         " changes the members without saying how");
  }
  return Status::Ok();
}

Status Replay::AddEntry(std::string_view data) {
  ASSIGN_OR_RETURN(raft::Entry entry, raft::DecodeEntry(data));
  RETURN_IF_ERROR(CheckEntry(entry));
  last_index_ = entry.index;
  std::vector<raft::Entry>& entries = content_.entries;
  if (entry.index <= start_.index) {
    entries.clear();  // replaced from here on
    term_at_start_.reset();
    if (entry.index == start_.index) term_at_start_ = entry.term;
    return Status::Ok();
  }
  const uint64_t place = entry.index - start_.index - 1;
  if (place > entries.size()) {
    return DataLossError("entry " + Number(entry.index) +
                         " follows a snapshot later than the one to start "
                         "from, " +
                         Number(start_.index));
  }
  entries.resize(place);
  if (place > 0 && entries.back().term > entry.term) {
    return DataLossError("entry " + Number(entry.index) +
                         " has a lower term than the one before it");
  }
  entries.push_back(std::move(entry));
  return Status::Ok();
}

Status Replay::AddState(std::string_view data) {
  ASSIGN_OR_RETURN(const raft::HardState state, raft::DecodeHardState(data));
  if (state.term < content_.hard_state.term) {
    return DataLossError("the term falls from " +
                         std::to_string(content_.hard_state.term.value()) +
                         " to " + std::to_string(state.term.value()));
  }
  content_.hard_state = state;
  return Status::Ok();
}

Status Replay::AddSnapshot(std::string_view data) {
  ASSIGN_OR_RETURN(WalSnapshot snapshot, DecodeSnapshot(data));
  if (snapshot.index == start_.index) {
    if (snapshot.term != start_.term) {
      return DataLossError("the snapshot at " + Number(start_.index) +
                           " has term " +
                           std::to_string(snapshot.term.value()) + ", not " +
                           std::to_string(start_.term.value()));
    }
    start_found_ = true;
    // It came from another member, and this one's log was not a part of it:
    // what follows in it is nothing that may be committed any more.
    if (term_at_start_ && *term_at_start_ != start_.term) {
      content_.entries.clear();
    }
  }
  last_index_ = std::max(last_index_, snapshot.index);
  content_.snapshots.push_back(std::move(snapshot));
  return Status::Ok();
}

Status Replay::CheckEnd(LogIndex durable_index) const {
  if (!has_metadata_) return DataLossError("the log has no metadata");
  // More may have been seen: a snapshot of another member, later than the one
  // to start from, and not the entries between the two.
  const LogIndex last = start_.index + content_.entries.size();
  if (content_.hard_state.commit > last) {
    return DataLossError("the log ends at entry " + Number(last) +
                         ", but entry " + Number(content_.hard_state.commit) +
                         " is committed");
  }
  if (durable_index > last) {
    return DataLossError("the log ends at entry " + Number(last) +
                         ", but entry " + Number(durable_index) +
                         " is in the backend");
  }
  if (!start_found_) {
    return NotFoundError("no record of the snapshot at " +
                         Number(start_.index));
  }
  return Status::Ok();
}

namespace {

std::string Place(const WalReader& reader) {
  return reader.path() + " offset " + std::to_string(reader.offset());
}

// What stands behind the last record: nothing, a torn tail (then its end), or
// the error that is to be told.
StatusOr<uint64_t> JudgeTail(const WalReader& reader,
                             uint64_t records_in_segment,
                             uint64_t max_batch_bytes) {
  constexpr uint64_t kHeaderRecords = 2;  // crc, metadata
  const bool may_be_torn =
      reader.in_last_segment() && records_in_segment >= kHeaderRecords &&
      (reader.status().ok() || reader.status().code() == Code::kDataLoss);
  if (!may_be_torn) {
    return reader.status().ok()
               ? DataLossError(Place(reader) + ": the header ends here")
               : reader.status();
  }
  const Tail tail =
      ExamineTail(reader.segment(), reader.offset(), max_batch_bytes);
  if (tail.kind == Tail::Kind::kTorn) return tail.end;
  if (tail.kind == Tail::Kind::kClean && reader.status().ok()) return 0;
  const Status found = reader.status().ok()
                           ? DataLossError(Place(reader) + ": no record")
                           : reader.status();
  return Status(found.code(), found.message() + " (" + tail.why + ")");
}

}  // namespace

StatusOr<LogImage> ReadLog(std::vector<Segment> segments,
                           const WalSnapshot& start, LogIndex durable_index,
                           uint64_t max_batch_bytes) {
  Replay replay(start, segments.front().name.first_index);
  WalReader reader(std::move(segments));
  LogImage image;
  uint64_t records_in_segment = 0;
  while (reader.Next()) {
    image.last = reader.offset();
    records_in_segment = reader.offset() == 0 ? 1 : records_in_segment + 1;
    if (Status status = replay.Add(reader.record()); !status.ok()) {
      return status.WithContext(Place(reader));
    }
  }
  if (reader.offset() == 0) records_in_segment = 0;
  ASSIGN_OR_RETURN(const uint64_t torn_end,
                   JudgeTail(reader, records_in_segment, max_batch_bytes));
  if (Status status = replay.CheckEnd(durable_index); !status.ok()) {
    return status.WithContext(Place(reader));
  }
  image.content = std::move(replay.content());
  image.last_index = std::max(replay.last_index(), start.index);
  image.end = reader.offset();
  image.crc = reader.crc();
  image.torn_end = torn_end;
  if (torn_end != 0) {
    image.content.cut_tail = Place(reader) + ": " +
                             std::to_string(torn_end - image.end) +
                             " bytes of a write that was cut short";
  }
  image.segments = reader.TakeSegments();
  return image;
}

}  // namespace strata::wal
