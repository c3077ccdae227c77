#include "wal/format.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/wire.h"

namespace strata::wal {
namespace {

enum RecordField : uint32_t { kType = 1, kCrc = 2, kData = 3 };
enum SnapshotField : uint32_t { kIndex = 1, kTerm = 2, kConfState = 3 };

constexpr uint64_t kPadFlag = uint64_t{0x80} << 56;
constexpr uint64_t kLengthMask = (uint64_t{1} << 56) - 1;

uint64_t PadBytes(uint64_t body_bytes) {
  return (kLengthBytes - body_bytes % kLengthBytes) % kLengthBytes;
}

uint64_t LengthField(uint64_t body_bytes) {
  const uint64_t pad = PadBytes(body_bytes);
  return pad == 0 ? body_bytes : body_bytes | kPadFlag | pad << 56;
}

// Writes the body in place, then the length before it and the pad behind.
void AppendFrame(std::string* out, RecordType type, uint32_t crc,
                 std::string_view data) {
  const size_t start = out->size();
  out->append(kLengthBytes, '\0');
  wire::AppendUint(out, kType, static_cast<uint64_t>(type));
  wire::AppendUint(out, kCrc, crc);
  if (!data.empty()) wire::AppendBytes(out, kData, data);
  const uint64_t body_bytes = out->size() - start - kLengthBytes;
  StoreLittle64(out->data() + start, LengthField(body_bytes));
  out->append(PadBytes(body_bytes), '\0');
}

bool ParseBody(std::string_view body, Record* record) {
  wire::Reader reader(body);
  wire::Field field;
  uint32_t seen = 0;
  while (reader.Next(&field)) {
    const bool number = field.type == wire::Type::kVarint;
    if (field.number == kType && number) {
      record->type = static_cast<RecordType>(field.varint);
    } else if (field.number == kCrc && number && field.varint >> 32 == 0) {
      record->crc = static_cast<uint32_t>(field.varint);
    } else if (field.number == kData && field.type == wire::Type::kBytes) {
      record->data = field.bytes;
    } else {
      return false;
    }
    seen |= 1U << field.number;
  }
  constexpr uint32_t kNeeded = 1U << kType | 1U << kCrc;
  return reader.ok() && (seen & kNeeded) == kNeeded;
}

Frame Broken(std::string_view fault, uint64_t bytes) {
  Frame frame;
  frame.kind = Frame::Kind::kBroken;
  frame.fault = fault;
  frame.bytes = bytes;
  return frame;
}

}  // namespace

std::string_view RecordTypeName(RecordType type) {
  switch (type) {
    case RecordType::kMetadata:
      return "metadata";
    case RecordType::kEntry:
      return "entry";
    case RecordType::kState:
      return "state";
    case RecordType::kCrc:
      return "crc";
    case RecordType::kSnapshot:
      return "snapshot";
  }
  return "unknown";
}

void AppendRecord(std::string* out, RecordType type, std::string_view data,
                  uint32_t* crc) {
  *crc = crc32c::Extend(*crc, data);
  AppendFrame(out, type, *crc, data);
}

void AppendCrcRecord(std::string* out, uint32_t crc) {
  AppendFrame(out, RecordType::kCrc, crc, {});
}

Frame ParseFrame(std::string_view segment, uint64_t offset) {
  CHECK_EQ(offset % kLengthBytes, 0U);
  if (offset >= segment.size()) return Frame{};
  const uint64_t rest = segment.size() - offset;
  if (rest < kLengthBytes) return Broken("the file ends in a length", rest);
  const uint64_t length = LoadLittle64(segment.data() + offset);
  if (length == 0) return Frame{};
  const uint64_t body_bytes = length & kLengthMask;
  if (length != LengthField(body_bytes) ||
      body_bytes > limits::kMaxLogRecordBytes) {
    return Broken("no such length", kLengthBytes);
  }
  const uint64_t bytes = kLengthBytes + body_bytes + PadBytes(body_bytes);
  if (bytes > rest) return Broken("the file ends in a record", bytes);
  Frame frame;
  frame.bytes = bytes;
  if (!ParseBody(segment.substr(offset + kLengthBytes, body_bytes),
                 &frame.record)) {
    return Broken("the bytes are no record", bytes);
  }
  frame.kind = Frame::Kind::kRecord;
  return frame;
}

std::string SegmentName::ToString() const {
  char name[48];
  std::snprintf(name, sizeof name, "%016llx-%016llx.wal",
                static_cast<unsigned long long>(sequence),
                static_cast<unsigned long long>(first_index.value()));
  return name;
}

std::optional<SegmentName> SegmentName::Parse(std::string_view name) {
  std::string sequence;
  std::string index;
  if (name.size() != 37 || !FromHex(name.substr(0, 16), &sequence) ||
      !FromHex(name.substr(17, 16), &index)) {
    return std::nullopt;
  }
  const SegmentName parsed{.sequence = LoadBig64(sequence.data()),
                           .first_index = LogIndex(LoadBig64(index.data()))};
  if (parsed.ToString() != name) return std::nullopt;
  return parsed;
}

std::string EncodeSnapshot(const WalSnapshot& snapshot) {
  std::string out;
  wire::AppendUint(&out, kIndex, snapshot.index.value());
  wire::AppendUint(&out, kTerm, snapshot.term.value());
  if (snapshot.conf_state.has_value()) {
    wire::AppendBytes(&out, kConfState,
                      raft::EncodeConfState(*snapshot.conf_state));
  }
  return out;
}

StatusOr<WalSnapshot> DecodeSnapshot(std::string_view bytes) {
  WalSnapshot snapshot;
  wire::Reader reader(bytes);
  wire::Field field;
  uint32_t seen = 0;
  while (reader.Next(&field)) {
    if (field.number == kIndex && field.type == wire::Type::kVarint) {
      snapshot.index = LogIndex(field.varint);
    } else if (field.number == kTerm && field.type == wire::Type::kVarint) {
      snapshot.term = Term(field.varint);
    } else if (field.number == kConfState && field.type == wire::Type::kBytes) {
      ASSIGN_OR_RETURN(snapshot.conf_state, raft::DecodeConfState(field.bytes));
    } else {
      return DataLossError("the bytes are no walpb.Snapshot");
    }
    seen |= 1U << field.number;
  }
  constexpr uint32_t kNeeded = 1U << kIndex | 1U << kTerm;
  if (!reader.ok() || (seen & kNeeded) != kNeeded) {
    return DataLossError("the bytes are no walpb.Snapshot");
  }
  return snapshot;
}

}  // namespace strata::wal
