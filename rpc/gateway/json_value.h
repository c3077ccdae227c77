#ifndef STRATA_RPC_GATEWAY_JSON_VALUE_H_
#define STRATA_RPC_GATEWAY_JSON_VALUE_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace strata {

// A JSON value that still knows how its numbers were written. A value.
struct JsonValue {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  // The value of a string, "true" or "false", a number as it was written.
  std::string text = {};
  std::vector<JsonValue> elements = {};  // of an array, and members' values
  std::vector<std::string> names = {};   // of an object's members
  Kind kind = Kind::kNull;

  // "array", "number", ...
  std::string_view KindName() const;
};

// Reads one value, which is all that `text` is. InvalidArgument if it is none,
// or nested too deep.
StatusOr<JsonValue> ParseJson(std::string_view text);

// Cuts a stream of bytes into the JSON values in it, which follow each other
// with or without blanks between them. Used by one thread.
class JsonSplitter {
 public:
  explicit JsonSplitter(size_t max_value_bytes)
      : max_value_bytes_(max_value_bytes) {}

  void Feed(std::string_view bytes) { buffer_.append(bytes); }
  void End() { ended_ = true; }

  // The next value's text, as soon as it is whole; nullopt: not yet, or, after
  // End, no more. What is no JSON comes out for ParseJson to refuse.
  // InvalidArgument "unexpected EOF" if the stream ended inside a value,
  // ResourceExhausted if one is too long; no call after that.
  StatusOr<std::optional<std::string>> Next();

 private:
  // Where the value at the start ends; npos: not here yet.
  size_t FindEnd();
  size_t LiteralEnd() const;

  const size_t max_value_bytes_;
  std::string buffer_;
  bool ended_ = false;
  // How far the value at the start of buffer_ has been looked at, and what was
  // found.
  size_t at_ = 0;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace strata

#endif  // STRATA_RPC_GATEWAY_JSON_VALUE_H_
