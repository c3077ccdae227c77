#include "engine/key_value.h"

#include "base/wire.h"

namespace strata {

namespace {

enum Field : uint32_t {
  kKey = 1,
  kCreateRevision = 2,
  kModRevision = 3,
  kVersion = 4,
  kValue = 5,
  kLease = 6,
};

size_t VarintSize(uint64_t v) {
  // 1 byte for each started group of 7 bits.
  return (70 - static_cast<size_t>(__builtin_clzll(v | 1))) / 7;
}

size_t BytesFieldSize(std::string_view bytes) {
  return bytes.empty() ? 0 : 1 + VarintSize(bytes.size()) + bytes.size();
}

size_t NumberFieldSize(int64_t number) {
  return number == 0 ? 0 : 1 + VarintSize(static_cast<uint64_t>(number));
}

char* WriteVarint(char* out, uint64_t v) {
  while (v >= 0x80) {
    *out++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *out++ = static_cast<char>(v);
  return out;
}

char* WriteTag(char* out, Field field, wire::Type type) {
  *out = static_cast<char>(field << 3 | static_cast<uint32_t>(type));
  return out + 1;
}

char* WriteBytes(char* out, Field field, std::string_view bytes) {
  if (bytes.empty()) return out;
  out = WriteVarint(WriteTag(out, field, wire::Type::kBytes), bytes.size());
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

char* WriteNumber(char* out, Field field, int64_t number) {
  if (number == 0) return out;
  return WriteVarint(WriteTag(out, field, wire::Type::kVarint),
                     static_cast<uint64_t>(number));
}

bool StoreField(const wire::Field& field, KeyValue* kv) {
  const bool bytes = field.type == wire::Type::kBytes;
  const auto number = static_cast<int64_t>(field.varint);
  switch (field.number) {
    case kKey:
      kv->key = field.bytes;
      return bytes;
    case kCreateRevision:
      kv->create_revision = Revision(number);
      return !bytes;
    case kModRevision:
      kv->mod_revision = Revision(number);
      return !bytes;
    case kVersion:
      kv->version = number;
      return !bytes;
    case kValue:
      kv->value = field.bytes;
      return bytes;
    case kLease:
      kv->lease = LeaseId(number);
      return !bytes;
    default:
      return true;  // a later release's
  }
}

}  // namespace

bool ParseRevisionKey(std::string_view bytes, ChangeId* id, bool* tombstone) {
  const size_t size = bytes.size();
  if (size != RevisionKey::kBytes && size != RevisionKey::kBytes + 1) {
    return false;
  }
  *tombstone = size > RevisionKey::kBytes;
  if (bytes[8] != '_') return false;
  if (*tombstone && bytes.back() != RevisionKey::kTombstoneMark) return false;
  const uint64_t main = LoadBig64(bytes.data());
  const uint64_t sub = LoadBig64(bytes.data() + 9);
  if (main > INT64_MAX || sub > UINT32_MAX) return false;
  id->main = Revision(static_cast<int64_t>(main));
  id->sub = static_cast<uint32_t>(sub);
  return true;
}

size_t KeyValueSize(const KeyValue& kv) {
  return BytesFieldSize(kv.key) + NumberFieldSize(kv.create_revision.value()) +
         NumberFieldSize(kv.mod_revision.value()) +
         NumberFieldSize(kv.version) + BytesFieldSize(kv.value) +
         NumberFieldSize(kv.lease.value());
}

void EncodeKeyValue(const KeyValue& kv, char* out) {
  out = WriteBytes(out, kKey, kv.key);
  out = WriteNumber(out, kCreateRevision, kv.create_revision.value());
  out = WriteNumber(out, kModRevision, kv.mod_revision.value());
  out = WriteNumber(out, kVersion, kv.version);
  out = WriteBytes(out, kValue, kv.value);
  WriteNumber(out, kLease, kv.lease.value());
}

std::string EncodeKeyValue(const KeyValue& kv) {
  std::string bytes(KeyValueSize(kv), '\0');
  EncodeKeyValue(kv, bytes.data());
  return bytes;
}

StatusOr<KeyValue> DecodeKeyValue(std::string_view bytes) {
  KeyValue kv;
  wire::Reader reader(bytes);
  wire::Field field;
  bool known = true;
  while (known && reader.Next(&field)) known = StoreField(field, &kv);
  if (!known || !reader.ok()) {
    return DataLossError("a stored value is no KeyValue: " + Printable(bytes));
  }
  return kv;
}

bool DecodeKey(std::string_view bytes, std::string_view* key) {
  wire::Reader reader(bytes);
  wire::Field field;
  if (!reader.Next(&field) || field.number != kKey ||
      field.type != wire::Type::kBytes) {
    return false;
  }
  *key = field.bytes;
  return true;
}

bool SplitAtValue(std::string_view bytes, std::string_view* before,
                  std::string_view* after) {
  *before = bytes;
  *after = bytes.substr(bytes.size());
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number != kValue) continue;
    if (field.type != wire::Type::kBytes) return false;
    const size_t end = static_cast<size_t>(field.bytes.data() - bytes.data()) +
                       field.bytes.size();
    *before = bytes.substr(0, end - BytesFieldSize(field.bytes));
    *after = bytes.substr(end);
    return true;
  }
  return reader.ok();
}

}  // namespace strata
