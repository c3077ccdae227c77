#include "base/wire.h"

#include "base/check.h"

namespace strata::wire {

namespace {

constexpr uint64_t kMaxFieldNumber = (1 << 29) - 1;

bool ConsumeFixed(std::string_view* rest, size_t size, uint64_t* value) {
  if (rest->size() < size) return false;
  *value = size == 8 ? LoadLittle64(rest->data()) : LoadLittle32(rest->data());
  rest->remove_prefix(size);
  return true;
}

bool ConsumeBytes(std::string_view* rest, std::string_view* bytes) {
  uint64_t size = 0;
  if (!ConsumeVarint64(rest, &size) || size > rest->size()) return false;
  *bytes = rest->substr(0, size);
  rest->remove_prefix(size);
  return true;
}

bool ConsumeField(std::string_view* rest, Field* field) {
  uint64_t tag = 0;
  if (!ConsumeVarint64(rest, &tag)) return false;
  if (tag >> 3 == 0 || tag >> 3 > kMaxFieldNumber) return false;
  *field = Field{.number = static_cast<uint32_t>(tag >> 3),
                 .type = static_cast<Type>(tag & 7)};
  switch (field->type) {
    case Type::kVarint:
      return ConsumeVarint64(rest, &field->varint);
    case Type::kFixed64:
      return ConsumeFixed(rest, 8, &field->varint);
    case Type::kFixed32:
      return ConsumeFixed(rest, 4, &field->varint);
    case Type::kBytes:
      return ConsumeBytes(rest, &field->bytes);
  }
  return false;  // a group, or no type at all
}

}  // namespace

void AppendTag(std::string* out, uint32_t field, Type type) {
  CHECK(field > 0 && field <= kMaxFieldNumber) << field;
  AppendVarint64(out, uint64_t{field} << 3 | static_cast<uint64_t>(type));
}

void AppendUint(std::string* out, uint32_t field, uint64_t value) {
  AppendTag(out, field, Type::kVarint);
  AppendVarint64(out, value);
}

void AppendInt(std::string* out, uint32_t field, int64_t value) {
  AppendUint(out, field, static_cast<uint64_t>(value));
}

void AppendBytes(std::string* out, uint32_t field, std::string_view value) {
  AppendTag(out, field, Type::kBytes);
  AppendVarint64(out, value.size());
  out->append(value);
}

bool Reader::Next(Field* field) {
  if (!ok_ || rest_.empty()) return false;
  ok_ = ConsumeField(&rest_, field);
  return ok_;
}

}  // namespace strata::wire
