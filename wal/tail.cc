#include "wal/tail.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "wal/format.h"

namespace strata::wal {
namespace {

bool AllZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

uint64_t SectorEnd(uint64_t offset) {
  return (offset / kSectorBytes + 1) * kSectorBytes;
}

// Whether a sector's share of [begin, end) is all zeros or beyond the file's
// end: it may never have been written.
bool MissesSector(std::string_view segment, uint64_t begin, uint64_t end) {
  if (end > segment.size()) return true;
  for (uint64_t at = begin; at < end;) {
    const uint64_t next = std::min(SectorEnd(at), end);
    if (AllZero(segment.substr(at, next - at))) return true;
    at = next;
  }
  return false;
}

// Whether the start of a body that is surely there (it shares the length's
// sector) can be that of `body_bytes`: type, crc, then data that fill it.
bool BodyFitsLength(std::string_view start, uint64_t body_bytes) {
  uint64_t type = 0;
  uint64_t crc = 0;
  uint64_t data_bytes = 0;
  std::string_view rest = start;
  if (rest.size() < 16) return true;  // may go on in a missing sector
  if (!ConsumeVarint64(&rest, &type) || type != 0x08) return false;
  if (!ConsumeVarint64(&rest, &type)) return false;
  if (!ConsumeVarint64(&rest, &crc) || crc != 0x10) return false;
  if (!ConsumeVarint64(&rest, &crc)) return false;
  if (start.size() - rest.size() == body_bytes) return true;  // no data
  if (!ConsumeVarint64(&rest, &type) || type != 0x1a) return false;
  if (!ConsumeVarint64(&rest, &data_bytes)) return false;
  return start.size() - rest.size() + data_bytes == body_bytes;
}

// Whether the record that the length at `offset` speaks of can have been left
// so by a crash in the middle of its write.
bool LooksTorn(std::string_view segment, uint64_t offset) {
  const Frame frame = ParseFrame(segment, offset);
  const uint64_t sector_end = std::min(SectorEnd(offset), segment.size());
  if (frame.kind == Frame::Kind::kNone) {
    return AllZero(segment.substr(offset, sector_end - offset));
  }
  if (sector_end - offset < kLengthBytes) return true;
  if (frame.bytes <= kLengthBytes) return false;  // no such length
  const uint64_t body = offset + kLengthBytes;
  const uint64_t body_end = offset + frame.bytes;
  const uint64_t sure_end = std::min(sector_end, body_end);
  const std::string_view sure = segment.substr(body, sure_end - body);
  const uint64_t length =
      LoadLittle64(segment.data() + offset) & ((uint64_t{1} << 56) - 1);
  return BodyFitsLength(sure, length) && MissesSector(segment, body, body_end);
}

// The offset of two records at or after `from` that follow one another by their
// sums, or 0.
uint64_t FindLaterRecords(std::string_view segment, uint64_t from) {
  for (uint64_t at = from; at < segment.size(); at += kLengthBytes) {
    const Frame first = ParseFrame(segment, at);
    if (first.kind != Frame::Kind::kRecord) continue;
    const Frame second = ParseFrame(segment, at + first.bytes);
    if (second.kind == Frame::Kind::kRecord && !second.record.data.empty() &&
        crc32c::Extend(first.record.crc, second.record.data) ==
            second.record.crc) {
      return at;
    }
  }
  return 0;
}

}  // namespace

Tail ExamineTail(std::string_view segment, uint64_t offset,
                 uint64_t max_batch_bytes) {
  if (offset >= segment.size()) return Tail{};
  const size_t last = segment.find_last_not_of('\0');
  if (last == std::string_view::npos || last < offset) return Tail{};
  Tail tail;
  tail.end = last + 1;
  if (offset == 0) {
    tail.kind = Tail::Kind::kDamaged;
    tail.why = "the segment has no header";
    return tail;
  }
  if (!LooksTorn(segment, offset)) {
    tail.kind = Tail::Kind::kDamaged;
    tail.why = "all sectors of the record are there";
    return tail;
  }
  const uint64_t beyond = offset + max_batch_bytes;
  const uint64_t later = FindLaterRecords(
      segment, (beyond + kLengthBytes) / kLengthBytes * kLengthBytes);
  if (later != 0) {
    tail.kind = Tail::Kind::kDamaged;
    tail.why = "there are later records at offset " + std::to_string(later);
    return tail;
  }
  tail.kind = Tail::Kind::kTorn;
  tail.why = "a write was cut short";
  return tail;
}

}  // namespace strata::wal
