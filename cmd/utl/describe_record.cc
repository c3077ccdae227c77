#include "base/bytes.h"
#include "base/wire.h"
#include "cmd/utl/describe.h"
#include "engine/backend.h"
#include "engine/meta.h"

namespace strata::utl {
namespace {

constexpr size_t kShown = 32;

std::string Quoted(std::string_view bytes) {
  return '"' + Printable(bytes, kShown) + '"';
}

std::string Number(int64_t number) { return std::to_string(number); }

std::string DescribeKeyValue(std::string_view value) {
  const StatusOr<KeyValue> kv = DecodeKeyValue(value);
  if (!kv.ok()) return "no KeyValue: " + Printable(value, kShown);
  std::string text = Quoted(kv->key);
  if (kv->mod_revision == Revision()) return text + " deleted";
  text += " = " + Quoted(kv->value) + " (" + std::to_string(kv->value.size()) +
          " bytes), create " + Number(kv->create_revision.value()) + ", mod " +
          Number(kv->mod_revision.value()) + ", version " + Number(kv->version);
  if (kv->lease != LeaseId()) {
    text += ", lease " + HexId(static_cast<uint64_t>(kv->lease.value()));
  }
  return text;
}

// leasepb.Lease: 1 id, 2 TTL, 3 remaining TTL.
std::string DescribeLease(std::string_view value) {
  wire::Reader reader(value);
  wire::Field field;
  std::string text;
  while (reader.Next(&field)) {
    if (field.number == 1) text += "lease " + HexId(field.varint);
    if (field.number == 2) text += ", TTL " + Number(field.varint) + " s";
    if (field.number == 3) text += ", remaining " + Number(field.varint) + " s";
  }
  return reader.ok() ? text : "no lease: " + Printable(value, kShown);
}

std::string DescribeMetaValue(std::string_view key, std::string_view value) {
  if (value.size() == sizeof(uint64_t)) {
    return std::to_string(LoadBig64(value.data()));
  }
  ChangeId id;
  bool tombstone = false;
  if (key.ends_with("CompactRev") && ParseRevisionKey(value, &id, &tombstone)) {
    return "revision " + RevisionText(id, tombstone);
  }
  return Printable(value, 4 * kShown);
}

}  // namespace

std::string RevisionText(ChangeId id, bool tombstone) {
  return Number(id.main.value()) + "." + std::to_string(id.sub) +
         (tombstone ? "t" : "");
}

std::string DescribeKey(std::string_view bucket, std::string_view key) {
  ChangeId id;
  bool tombstone = false;
  if (bucket == TableName(Table::kKey) &&
      ParseRevisionKey(key, &id, &tombstone)) {
    return "revision " + RevisionText(id, tombstone);
  }
  if (bucket == TableName(Table::kLease) && key.size() == sizeof(uint64_t)) {
    return "lease " + HexId(LoadBig64(key.data()));
  }
  return Quoted(key);
}

std::string DescribeValue(std::string_view bucket, std::string_view key,
                          std::string_view value) {
  if (bucket == TableName(Table::kKey)) return DescribeKeyValue(value);
  if (bucket == TableName(Table::kLease)) return DescribeLease(value);
  if (bucket == TableName(Table::kMeta)) return DescribeMetaValue(key, value);
  return Printable(value, 4 * kShown);
}

}  // namespace strata::utl
