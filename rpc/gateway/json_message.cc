#include "rpc/gateway/json_message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

namespace strata {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = JsonValue::Kind;

Status CannotUnmarshal(std::string_view what, std::string_view type) {
  return InvalidArgumentError("json: cannot unmarshal " + std::string(what) +
                              " into Go value of type " + std::string(type));
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Status BadBase64(size_t at) {
  return InvalidArgumentError("illegal base64 data at input byte " +
                              std::to_string(at));
}

// Four characters at a time; the last four may end in one or two '='. Line ends
// are passed over.
StatusOr<std::string> DecodeBase64(std::string_view text) {
  std::string bytes;
  uint32_t group = 0;
  int digits = 0;
  int padding = 0;
  size_t group_start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r' || c == '\n') continue;
    if (digits + padding == 0) group_start = i;
    const size_t digit = kBase64.find(c);
    if (c == '=' && digits >= 2 && digits + padding < 4) {
      ++padding;
    } else if (digit == std::string_view::npos || padding > 0) {
      return BadBase64(i);
    } else {
      group = group << 6 | static_cast<uint32_t>(digit);
      ++digits;
    }
    if (digits + padding < 4) continue;
    group <<= 6 * padding;
    for (int byte = 0; byte < 3 - padding; ++byte) {
      bytes.push_back(static_cast<char>(group >> (16 - 8 * byte)));
    }
    if (padding > 0) {
      const size_t rest = text.find_first_not_of("\r\n", i + 1);
      if (rest != std::string_view::npos) return BadBase64(rest);
      return bytes;
    }
    group = 0;
    digits = 0;
  }
  if (digits + padding > 0) return BadBase64(group_start);
  return bytes;
}

// A number, in quotes or not.
template <typename Number>
StatusOr<Number> ReadNumber(const JsonValue& value, std::string_view type) {
  std::string_view text = value.text;
  if (value.kind == Kind::kString) {
    const StatusOr<JsonValue> inside = ParseJson(text);
    if (text.empty()) {
      return InvalidArgumentError("unexpected end of JSON input");
    }
    if (!inside.ok()) return inside.status();
    if (inside->kind != Kind::kNumber) {
      return CannotUnmarshal(inside->KindName(), type);
    }
  } else if (value.kind != Kind::kNumber) {
    return CannotUnmarshal(value.KindName(), type);
  }
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || parsed != end) {
    return CannotUnmarshal("number " + std::string(text), type);
  }
  return number;
}

// "etcdserverpb.RangeRequest_SortOrder"
std::string GoName(const EnumDescriptor& type) {
  const std::string package = type.file()->package();
  std::string name = type.full_name().substr(package.size() + 1);
  std::ranges::replace(name, '.', '_');
  return package + "." + name;
}

StatusOr<int> ReadEnum(const JsonValue& value, const EnumDescriptor& type) {
  if (value.kind == Kind::kString) {
    const EnumValueDescriptor* const named = type.FindValueByName(value.text);
    if (named != nullptr) return named->number();
    return InvalidArgumentError("unknown value " + QuoteJson(value.text) +
                                " for enum " + GoName(type));
  }
  return ReadNumber<int32_t>(value, GoName(type));
}

// Puts values into a field: sets it, or, if it is repeated, appends to it.
class FieldWriter {
 public:
  FieldWriter(Message* message, const FieldDescriptor* field)
      : message_(message), field_(field), out_(message->GetReflection()) {}

  Status Read(const JsonValue& value);

 private:
  Status ReadOne(const JsonValue& value);
  Status ReadText(const JsonValue& value);
  Status ReadMessage(const JsonValue& value);

  template <typename Number>
  Status ReadInteger(const JsonValue& value, std::string_view type,
                     void (Reflection::*set)(Message*, const FieldDescriptor*,
                                             Number) const,
                     void (Reflection::*add)(Message*, const FieldDescriptor*,
                                             Number) const) {
    ASSIGN_OR_RETURN(const Number number, ReadNumber<Number>(value, type));
    (out_->*(field_->is_repeated() ? add : set))(message_, field_, number);
    return Status::Ok();
  }

  Message* const message_;
  const FieldDescriptor* const field_;
  const Reflection* const out_;
};

Status FieldWriter::Read(const JsonValue& value) {
  if (value.kind == Kind::kNull) return Status::Ok();
  if (!field_->is_repeated()) return ReadOne(value);
  if (value.kind != Kind::kArray) {
    return CannotUnmarshal(value.KindName(), "[]json.RawMessage");
  }
  out_->ClearField(message_, field_);
  for (const JsonValue& element : value.elements) {
    RETURN_IF_ERROR(ReadOne(element));
  }
  return Status::Ok();
}

Status FieldWriter::ReadOne(const JsonValue& value) {
  switch (field_->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      return ReadInteger<int64_t>(value, "int64", &Reflection::SetInt64,
                                  &Reflection::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT64:
      return ReadInteger<uint64_t>(value, "uint64", &Reflection::SetUInt64,
                                   &Reflection::AddUInt64);
    case FieldDescriptor::CPPTYPE_INT32:
      return ReadInteger<int32_t>(value, "int32", &Reflection::SetInt32,
                                  &Reflection::AddInt32);
    case FieldDescriptor::CPPTYPE_UINT32:
      return ReadInteger<uint32_t>(value, "uint32", &Reflection::SetUInt32,
                                   &Reflection::AddUInt32);
    case FieldDescriptor::CPPTYPE_BOOL:
      if (value.kind != Kind::kBool) {
        return CannotUnmarshal(value.KindName(), "bool");
      }
      out_->SetBool(message_, field_, value.text == "true");
      return Status::Ok();
    case FieldDescriptor::CPPTYPE_ENUM: {
      ASSIGN_OR_RETURN(const int number, ReadEnum(value, *field_->enum_type()));
      field_->is_repeated() ? out_->AddEnumValue(message_, field_, number)
                            : out_->SetEnumValue(message_, field_, number);
      return Status::Ok();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return ReadText(value);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ReadMessage(value);
    default:
      return UnimplementedError("no field of the API is a fraction");
  }
}

Status FieldWriter::ReadText(const JsonValue& value) {
  const bool bytes = field_->type() == FieldDescriptor::TYPE_BYTES;
  if (value.kind != Kind::kString) {
    return CannotUnmarshal(value.KindName(), bytes ? "[]uint8" : "string");
  }
  std::string text = value.text;
  if (bytes) {
    ASSIGN_OR_RETURN(text, DecodeBase64(value.text));
  }
  field_->is_repeated() ? out_->AddString(message_, field_, std::move(text))
                        : out_->SetString(message_, field_, std::move(text));
  return Status::Ok();
}

Status FieldWriter::ReadMessage(const JsonValue& value) {
  return ReadJson(value, field_->is_repeated()
                             ? out_->AddMessage(message_, field_)
                             : out_->MutableMessage(message_, field_));
}

}  // namespace

// As deep as ParseJson lets values be.
// NOLINTNEXTLINE(misc-no-recursion)
Status ReadJson(const JsonValue& value, Message* message) {
  if (value.kind == Kind::kNull) return Status::Ok();
  if (value.kind != Kind::kObject) {
    return CannotUnmarshal(value.KindName(), "map[string]json.RawMessage");
  }
  const auto* const type = message->GetDescriptor();
  for (size_t i = 0; i < value.names.size(); ++i) {
    const FieldDescriptor* field = type->FindFieldByName(value.names[i]);
    if (field == nullptr)
      field = type->FindFieldByCamelcaseName(value.names[i]);
    if (field == nullptr) continue;
    RETURN_IF_ERROR(FieldWriter(message, field).Read(value.elements[i]));
  }
  return Status::Ok();
}

StatusOr<std::string> WriteJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options)
           .ok()) {
    return InternalError("the answer cannot be written as JSON");
  }
  return text;
}

std::string QuoteJson(std::string_view text) {
  const std::string plain =
      nlohmann::json(text).dump(-1, ' ', /*ensure_ascii=*/false,
                                nlohmann::json::error_handler_t::replace);
  std::string quoted;
  for (const char c : plain) {
    switch (c) {
      case '<':
        quoted += "\\u003c";
        break;
      case '>':
        quoted += "\\u003e";
        break;
      case '&':
        quoted += "\\u0026";
        break;
      default:
        quoted.push_back(c);
    }
  }
  return quoted;
}

}  // namespace strata
