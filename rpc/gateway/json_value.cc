#include "rpc/gateway/json_value.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace strata {
namespace {

using Json = nlohmann::json;
using Kind = JsonValue::Kind;

// As protobuf's own bound on messages in messages.
constexpr size_t kMaxDepth = 100;
constexpr std::string_view kBlanks = " \t\r\n";

// Builds a JsonValue of what the parser finds.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Add({}); }
  bool boolean(bool value) override {
    return Add({.text = value ? "true" : "false", .kind = Kind::kBool});
  }
  bool number_integer(number_integer_t value) override {
    return Add({.text = std::to_string(value), .kind = Kind::kNumber});
  }
  bool number_unsigned(number_unsigned_t value) override {
    return Add({.text = std::to_string(value), .kind = Kind::kNumber});
  }
  bool number_float(number_float_t, const string_t& written) override {
    return Add({.text = written, .kind = Kind::kNumber});
  }
  bool string(string_t& value) override {
    return Add({.text = std::move(value), .kind = Kind::kString});
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Open(Kind::kObject); }
  bool start_array(std::size_t) override { return Open(Kind::kArray); }
  bool key(string_t& name) override {
    open_.back().names.push_back(std::move(name));
    return true;
  }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    error_at_ = position;
    return false;
  }

  JsonValue root;
  size_t error_at() const { return error_at_; }  // counted from 1; 0: too deep

 private:
  bool Add(JsonValue value) {
    if (open_.empty()) {
      root = std::move(value);
    } else {
      open_.back().elements.push_back(std::move(value));
    }
    return true;
  }
  bool Open(Kind kind) {
    if (open_.size() >= kMaxDepth) return false;
    open_.push_back({.kind = kind});
    return true;
  }
  bool Close() {
    JsonValue value = std::move(open_.back());
    open_.pop_back();
    return Add(std::move(value));
  }

  std::vector<JsonValue> open_;
  size_t error_at_ = 0;
};

bool IsCutShort(std::string_view text) {
  for (const std::string_view word : {"null", "true", "false"}) {
    if (word != text && word.starts_with(text)) return true;
  }
  return text == "-";
}

Status CutShort() { return InvalidArgumentError("unexpected EOF"); }

Status NotJson(std::string_view text, size_t at) {
  if (at == 0) return InvalidArgumentError("the JSON is nested too deep");
  if (at > text.size() || IsCutShort(text)) return CutShort();
  std::string message = "invalid character '";
  message += text[at - 1];
  message += at == 1 ? "' looking for beginning of value" : "' in JSON";
  return InvalidArgumentError(std::move(message));
}

}  // namespace

std::string_view JsonValue::KindName() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "bool";
    case Kind::kNumber:
      return "number";
    case Kind::kString:
      return "string";
    case Kind::kArray:
      return "array";
    case Kind::kObject:
      break;
  }
  return "object";
}

StatusOr<JsonValue> ParseJson(std::string_view text) {
  Builder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    return NotJson(text, builder.error_at());
  }
  return std::move(builder.root);
}

StatusOr<std::optional<std::string>> JsonSplitter::Next() {
  if (at_ == 0) {
    buffer_.erase(0,
                  std::min(buffer_.find_first_not_of(kBlanks), buffer_.size()));
  }
  const size_t end = FindEnd();
  if (end != std::string::npos) {
    std::string value = buffer_.substr(0, end);
    buffer_.erase(0, end);
    at_ = 0;
    return std::optional<std::string>(std::move(value));
  }
  if (buffer_.size() > max_value_bytes_) {
    return ResourceExhaustedError("the request is too large");
  }
  if (ended_ && !buffer_.empty()) return CutShort();
  return std::optional<std::string>();
}

size_t JsonSplitter::FindEnd() {
  if (buffer_.empty()) return std::string::npos;
  const char first = buffer_.front();
  if (first != '{' && first != '[' && first != '"') return LiteralEnd();
  for (; at_ < buffer_.size(); ++at_) {
    const char c = buffer_[at_];
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      --depth_;
    }
    if (!in_string_ && depth_ == 0) return at_ + 1;
  }
  return std::string::npos;
}

// Of a number, a word, or what is neither.
size_t JsonSplitter::LiteralEnd() const {
  const size_t end = buffer_.find_first_of(" \t\r\n,:{}[]\"", 1);
  if (end == std::string::npos && ended_) return buffer_.size();
  return end;
}

}  // namespace strata
