#ifndef STRATA_BASE_WIRE_H_
#define STRATA_BASE_WIRE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace strata::wire {

// The protobuf wire format, for the few messages that live on disk (KeyValue,
// log entry, log record, snapshot): the engine, the log and raft need no
// protobuf library for them. https://protobuf.dev/programming-guides/encoding
//
// gogo-proto, which etcd uses, writes proto2 fields that are `nullable=false`
// even when they are zero; so the writers below always write, and callers leave
// a proto3 zero field out themselves.

enum class Type : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kFixed32 = 5
};

void AppendTag(std::string* out, uint32_t field, Type type);
void AppendUint(std::string* out, uint32_t field, uint64_t value);
// A negative int64 or int32 takes ten bytes, as protobuf has it.
void AppendInt(std::string* out, uint32_t field, int64_t value);
void AppendBytes(std::string* out, uint32_t field, std::string_view value);

struct Field {
  uint32_t number = 0;
  Type type = Type::kVarint;
  uint64_t varint = 0;          // kVarint, kFixed64, kFixed32
  std::string_view bytes = {};  // kBytes
};

// Walks the fields of one message, in the order they are written:
//   Reader reader(bytes);
//   while (reader.Next(&field)) { ... }
//   if (!reader.ok()) ...the bytes are no message...
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool Next(Field* field);
  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace strata::wire

#endif  // STRATA_BASE_WIRE_H_
