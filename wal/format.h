#ifndef STRATA_WAL_FORMAT_H_
#define STRATA_WAL_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/types.h"
#include "wal/wal.h"

// The bytes of a log segment; wal/format.md is the grammar. Values, no I/O.
namespace strata::wal {

enum class RecordType : uint64_t {
  kMetadata = 1,
  kEntry = 2,
  kState = 3,
  kCrc = 4,
  kSnapshot = 5,
};

// "entry"
std::string_view RecordTypeName(RecordType type);

// The length field. A record starts at a multiple of it.
inline constexpr uint64_t kLengthBytes = 8;
// What a disk writes whole or not at all.
inline constexpr uint64_t kSectorBytes = 512;

struct Record {
  RecordType type = RecordType::kMetadata;
  uint32_t crc = 0;
  std::string_view data;
};

// Appends a record of `data`; `*crc` is the sum before it and becomes the sum
// after it. Allocates only to grow `out`.
void AppendRecord(std::string* out, RecordType type, std::string_view data,
                  uint32_t* crc);
// The record that starts a segment.
void AppendCrcRecord(std::string* out, uint32_t crc);

// What stands at some place of a segment.
struct Frame {
  enum class Kind {
    kRecord,  // `record`; its crc is not checked here
    kNone,    // length 0 or the end of the file: no record
    kBroken,  // `fault` says why it is none
  };
  Kind kind = Kind::kNone;
  Record record;       // points into the segment
  uint64_t bytes = 0;  // of length, body and pad, as the length says
  std::string_view fault = {};
};

// REQUIRES: offset is a multiple of 8
Frame ParseFrame(std::string_view segment, uint64_t offset);

// A segment's file name: "0000000000000001-000000000000002a.wal".
struct SegmentName {
  uint64_t sequence = 0;
  LogIndex first_index = {};

  std::string ToString() const;
  static std::optional<SegmentName> Parse(std::string_view name);

  friend bool operator==(const SegmentName&, const SegmentName&) = default;
};

// walpb.Snapshot.
std::string EncodeSnapshot(const WalSnapshot& snapshot);
StatusOr<WalSnapshot> DecodeSnapshot(std::string_view bytes);

}  // namespace strata::wal

#endif  // STRATA_WAL_FORMAT_H_
