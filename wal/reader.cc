#include "wal/reader.h"

#include <algorithm>

#include "base/crc32c.h"

namespace strata::wal {
namespace {

// No segment is larger: it is closed at the first batch that fills it.
constexpr uint64_t kMaxSegmentBytes = uint64_t{1} << 30;

bool AllZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

StatusOr<std::vector<SegmentName>> ListSegments(Env* env,
                                                const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, env->List(directory));
  std::vector<SegmentName> names;
  for (const std::string& file : files) {
    if (!file.ends_with(".wal")) continue;
    const std::optional<SegmentName> name = SegmentName::Parse(file);
    if (!name.has_value()) {
      return DataLossError(JoinPath(directory, file) +
                           ": no name of a log segment");
    }
    names.push_back(*name);
  }
  return names;  // sorted as their names are
}

StatusOr<std::vector<SegmentName>> SelectSegments(
    const std::vector<SegmentName>& names, const std::string& directory,
    LogIndex index) {
  const auto after = std::find_if(
      names.rbegin(), names.rend(),
      [&](const SegmentName& name) { return name.first_index <= index; });
  if (after == names.rend()) {
    return NotFoundError(directory + ": no log segment starts at or before " +
                         std::to_string(index.value()));
  }
  std::vector<SegmentName> selected(after.base() - 1, names.end());
  for (size_t i = 1; i < selected.size(); ++i) {
    if (selected[i].sequence != selected[i - 1].sequence + 1) {
      return DataLossError(
          JoinPath(directory, selected[i].ToString()) +
          ": the segment before it is missing, there is only " +
          selected[i - 1].ToString());
    }
  }
  return selected;
}

std::vector<SegmentName> NewestRun(const std::vector<SegmentName>& names) {
  size_t first = names.size();
  while (first > 0 && (first == names.size() || names[first - 1].sequence + 1 ==
                                                    names[first].sequence)) {
    --first;
  }
  return {names.begin() + static_cast<ptrdiff_t>(first), names.end()};
}

StatusOr<std::vector<Segment>> OpenSegments(
    Env* env, const std::string& directory,
    const std::vector<SegmentName>& names, OpenMode mode) {
  std::vector<Segment> segments;
  for (const SegmentName& name : names) {
    Segment segment{.name = name, .path = JoinPath(directory, name.ToString())};
    ASSIGN_OR_RETURN(segment.file, env->Open(segment.path, mode));
    if (mode != OpenMode::kReadOnly) RETURN_IF_ERROR(segment.file->Lock());
    segments.push_back(std::move(segment));
  }
  return segments;
}

WalReader::WalReader(std::vector<Segment> segments)
    : segments_(std::move(segments)) {
  CHECK(!segments_.empty());
}

std::string_view WalReader::segment() const {
  return std::string_view(content_.get(), content_bytes_);
}

bool WalReader::Stop(Status status) {
  stopped_ = true;
  status_ = std::move(status);
  return false;
}

Status WalReader::Fault(std::string_view what) const {
  return DataLossError(path() + " offset " + std::to_string(offset_) + ": " +
                       std::string(what));
}

Status WalReader::LoadSegment() {
  const Segment& segment = segments_[current_];
  ASSIGN_OR_RETURN(content_bytes_, segment.file->Size());
  offset_ = 0;
  frame_ = Frame{};
  if (content_bytes_ == 0) return Fault("the segment is empty");
  if (content_bytes_ > kMaxSegmentBytes) {
    return Fault("the segment is larger than any: " +
                 std::to_string(content_bytes_) + " bytes");
  }
  content_ = std::make_unique_for_overwrite<char[]>(content_bytes_);
  RETURN_IF_ERROR(segment.file->ReadAt(0, content_bytes_, content_.get()));
  loaded_ = true;
  return Status::Ok();
}

bool WalReader::Next() {
  if (stopped_) return false;
  for (;;) {
    if (!loaded_) {
      if (Status status = LoadSegment(); !status.ok()) return Stop(status);
    } else {
      offset_ += frame_.bytes;
    }
    frame_ = ParseFrame(segment(), offset_);
    if (frame_.kind == Frame::Kind::kBroken) return Stop(Fault(frame_.fault));
    if (frame_.kind == Frame::Kind::kRecord) {
      Status status = CheckRecord();
      return status.ok() ? true : Stop(std::move(status));
    }
    if (offset_ == 0) return Stop(Fault("the segment has no header"));
    if (in_last_segment()) return Stop(Status::Ok());
    if (offset_ < content_bytes_ && !AllZero(segment().substr(offset_))) {
      return Stop(Fault("no record, but bytes after it"));
    }
    loaded_ = false;
    ++current_;
  }
}

Status WalReader::CheckRecord() {
  const Record& record = frame_.record;
  if ((record.type == RecordType::kCrc) != (offset_ == 0)) {
    return Fault(offset_ == 0 ? "the segment does not start with a crc record"
                              : "a crc record inside a segment");
  }
  if (record.type == RecordType::kCrc) return CheckCrcRecord();
  const uint32_t crc = crc32c::Extend(*chain_, record.data);
  if (record.crc != crc) {
    return Fault("crc mismatch in a record of type " +
                 std::string(RecordTypeName(record.type)));
  }
  chain_ = crc;
  return Status::Ok();
}

// The sum goes on from the segment before; the first one read is believed, for
// its next record proves it.
Status WalReader::CheckCrcRecord() {
  const Record& record = frame_.record;
  if (!record.data.empty()) return Fault("a crc record with data");
  if (chain_.has_value() && *chain_ != record.crc) {
    return Fault("crc mismatch with the segment before");
  }
  if (segments_[current_].name.sequence == 0 && record.crc != 0) {
    return Fault("crc mismatch: the first segment starts with 0");
  }
  chain_ = record.crc;
  return Status::Ok();
}

}  // namespace strata::wal
