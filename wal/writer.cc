#include "wal/writer.h"

#include <algorithm>
#include <utility>

namespace strata::wal {

Writer::Writer(Env* env, std::string directory, std::string metadata,
               const WalOptions& options, Logger* logger,
               std::vector<Segment> segments, uint64_t end,
               const LogPoint& point, std::shared_ptr<ZeroFill> fill)
    : env_(env),
      directory_(std::move(directory)),
      metadata_(std::move(metadata)),
      options_(options),
      bugs_(options.planted_bugs == nullptr ? PlantedBugs{}
                                            : *options.planted_bugs),
      logger_(logger),
      segments_(std::move(segments)),
      fill_(std::move(fill)),
      end_(end),
      written_(point),
      gathered_(point),
      preparer_(env, directory_, options, logger) {}

Writer::~Writer() {
  if (fill_ != nullptr) fill_->Stop();
}

Status Writer::Init() {
  ASSIGN_OR_RETURN(allocated_, tail()->Size());
  preparer_.Start(segments_.back().name.sequence + 1);
  return Status::Ok();
}

void Writer::Gather(RecordType type, std::string_view data) {
  constexpr uint64_t kBesidesData = 64;
  CHECK_LT(data.size() + kBesidesData, limits::kMaxLogRecordBytes);
  AppendRecord(&pending_, type, data, &gathered_.crc);
}

void Writer::Append(std::span<const raft::Entry> entries,
                    const raft::HardState& hard_state) {
  for (const raft::Entry& entry : entries) {
    scratch_.clear();
    raft::AppendEntry(&scratch_, entry);
    AppendEncoded(entry.index, entry.term, scratch_);
  }
  AppendHardState(hard_state);
}

void Writer::AppendEncoded(LogIndex index, Term term, std::string_view entry) {
  CHECK(index <= gathered_.last_index + 1 && index > LogIndex(0))
      << "entry " << index << " after " << gathered_.last_index;
  CHECK(term > Term(0)) << "entry " << index;
  gathered_.last_index = index;
  Gather(RecordType::kEntry, entry);
}

void Writer::AppendHardState(const raft::HardState& hard_state) {
  if (hard_state == gathered_.hard_state) return;
  CHECK(hard_state.commit <= gathered_.last_index)
      << "commit " << hard_state.commit << " after " << gathered_.last_index;
  CHECK(hard_state.term >= gathered_.hard_state.term)
      << "term " << hard_state.term << " after " << gathered_.hard_state.term;
  gathered_.hard_state = hard_state;
  Gather(RecordType::kState, raft::EncodeHardState(hard_state));
}

void Writer::AppendSnapshot(const WalSnapshot& snapshot) {
  gathered_.last_index = std::max(gathered_.last_index, snapshot.index);
  Gather(RecordType::kSnapshot, EncodeSnapshot(snapshot));
}

Status Writer::Sync() {
  RETURN_IF_ERROR(dead_);
  if (!pending_.empty()) return Put(/*sync=*/true);
  if (unsynced_ == 0) return Status::Ok();
  return SyncWhole();
}

Status Writer::Write() {
  RETURN_IF_ERROR(dead_);
  return pending_.empty() ? Status::Ok() : Put(/*sync=*/false);
}

// Whether it is durable then or not, what was gathered is part of the log.
Status Writer::Put(bool sync) {
  const uint64_t bytes = pending_.size();
  if (Status status = Flush(sync); !status.ok()) {
    DropPending();
    return status;
  }
  stats_.bytes_written += bytes;
  written_ = gathered_;
  pending_.clear();
  return Status::Ok();
}

void Writer::DropPending() {
  pending_.clear();
  gathered_ = written_;
}

// Before anything is written, there is room for all of it. A full disk before
// that leaves the log as it was; anything else is the end of this Writer.
Status Writer::Flush(bool sync) {
  Status status = MakeRoom();
  if (status.code() == Code::kResourceExhausted) return status;
  if (status.ok()) status = WriteBatch(pending_, sync);
  return status.ok() ? status : Die(status);
}

Status Writer::MakeRoom() {
  if (end_ + pending_.size() > options_.segment_bytes && !fresh_) {
    // Only the last segment may have a torn tail.
    if (unsynced_ > 0) RETURN_IF_ERROR(SyncWhole());
    RETURN_IF_ERROR(Rotate());
  }
  if (end_ + pending_.size() > allocated_) {
    RETURN_IF_ERROR(tail()->Allocate(end_ + pending_.size()));
    allocated_ = end_ + pending_.size();
  }
  return Status::Ok();
}

// A disk found full only now may not be tried again either.
Status Writer::Die(const Status& status) {
  dead_ = status.code() == Code::kResourceExhausted
              ? Status(Code::kUnknown, status.message())
              : status;
  return dead_;
}

// In parts of at most max_batch_bytes, each of whole records, or one record.
Status Writer::WriteBatch(std::string_view batch, bool sync) {
  if (fill_ != nullptr) fill_->Claim(end_ + batch.size());
  while (!batch.empty()) {
    uint64_t part = batch.size();
    if (part > options_.max_batch_bytes) {
      part = ParseFrame(batch, 0).bytes;
      for (;;) {
        const uint64_t next = part + ParseFrame(batch, part).bytes;
        if (next == part || next > options_.max_batch_bytes) break;
        part = next;
      }
    }
    RETURN_IF_ERROR(WritePart(batch.substr(0, part), sync));
    batch.remove_prefix(part);
  }
  return Status::Ok();
}

Status Writer::WritePart(std::string_view part, bool sync) {
  const bool late = bugs_.sync_late && sync;
  if (late || unsynced_ + part.size() > options_.max_batch_bytes) {
    RETURN_IF_ERROR(SyncTail());
  }
  RETURN_IF_ERROR(tail()->WriteAt(end_, part));
  unsynced_ += part.size();
  end_ += part.size();
  fresh_ = false;
  return sync && !late ? SyncTail() : Status::Ok();
}

// A failed sync is the end, even if it is for want of room.
Status Writer::SyncWhole() {
  const Status status = SyncTail();
  return status.ok() ? status : Die(status);
}

Status Writer::SyncTail() {
  if (options_.fsync && !bugs_.skip_file_sync) {
    RETURN_IF_ERROR(tail()->Sync());
  }
  unsynced_ = 0;
  ++stats_.syncs;
  return Status::Ok();
}

Status Writer::SyncDirectory() {
  if (!options_.fsync || bugs_.skip_rotation_dir_sync) return Status::Ok();
  return env_->SyncDir(directory_);
}

// The new segment is whole and durable before it has its name, and has its name
// durably before a batch goes into it.
Status Writer::Rotate() {
  const SegmentName name{.sequence = segments_.back().name.sequence + 1,
                         .first_index = written_.last_index + 1};
  ASSIGN_OR_RETURN(PreparedSegment next, preparer_.Take(name.sequence));
  uint32_t crc = bugs_.restart_crc ? 0 : written_.crc;
  std::string header;
  AppendCrcRecord(&header, crc);
  AppendRecord(&header, RecordType::kMetadata, metadata_, &crc);
  if (written_.hard_state != raft::HardState{}) {
    AppendRecord(&header, RecordType::kState,
                 raft::EncodeHardState(written_.hard_state), &crc);
  }
  if (next.fill != nullptr) next.fill->Claim(header.size());
  Status status = WriteHeader(next.file.get(), header);
  if (status.ok()) {
    status = env_->Rename(next.path, JoinPath(directory_, name.ToString()));
  }
  if (!status.ok()) {
    preparer_.Discard(std::move(next));
    return status;
  }
  Adopt(std::move(next), name, header.size(), crc);
  // The name is there now, durable or not: no way back.
  status = SyncDirectory();
  return status.ok() ? status : Die(status);
}

Status Writer::WriteHeader(File* file, std::string_view header) {
  RETURN_IF_ERROR(file->WriteAt(0, header));
  return options_.fsync ? file->Sync() : Status::Ok();
}

void Writer::Adopt(PreparedSegment next, const SegmentName& name,
                   uint64_t header_bytes, uint32_t crc) {
  TrimLastSegment();
  segments_.push_back(Segment{.name = name,
                              .path = JoinPath(directory_, name.ToString()),
                              .file = std::move(next.file)});
  fill_ = std::move(next.fill);
  end_ = header_bytes;
  allocated_ = options_.segment_bytes;
  fresh_ = true;
  written_.crc = crc;
  Reframe();
  preparer_.Start(name.sequence + 1);
}

// Gives the space behind the last record back. Not needed for anything, so a
// failure is only told.
void Writer::TrimLastSegment() {
  if (fill_ != nullptr) fill_->Stop();
  if (Status status = tail()->Resize(end_); !status.ok()) {
    logger_->Warn("a full log segment keeps its unused space",
                  {{"path", segments_.back().path}, {"error", status}});
  }
}

// The header changed the sum that the gathered records were made with.
void Writer::Reframe() {
  scratch_.clear();
  uint32_t crc = written_.crc;
  for (uint64_t at = 0; at < pending_.size();) {
    const Frame frame = ParseFrame(pending_, at);
    CHECK(frame.kind == Frame::Kind::kRecord) << frame.fault;
    AppendRecord(&scratch_, frame.record.type, frame.record.data, &crc);
    at += frame.bytes;
  }
  gathered_.crc = crc;
  std::swap(pending_, scratch_);
}

// Oldest first and one by one, so that a crash leaves no gap in the sequence.
Status Writer::ReleaseTo(LogIndex index, uint64_t keep) {
  RETURN_IF_ERROR(dead_);
  if (keep == 0) return Status::Ok();
  while (segments_.size() > keep && segments_[1].name.first_index <= index) {
    RETURN_IF_ERROR(env_->Remove(segments_.front().path));
    if (options_.fsync) RETURN_IF_ERROR(env_->SyncDir(directory_));
    segments_.erase(segments_.begin());
  }
  return Status::Ok();
}

Wal::Stats Writer::GetStats() const {
  Stats stats = stats_;
  stats.segments = segments_.size();
  return stats;
}

}  // namespace strata::wal
