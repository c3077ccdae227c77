#include "base/bytes.h"

namespace strata {

namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

// -1 if `c` is no hexadecimal digit.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void AppendLittle64(std::string* out, uint64_t v) {
  char buffer[sizeof v];
  StoreLittle64(buffer, v);
  out->append(buffer, sizeof buffer);
}

void AppendBig64(std::string* out, uint64_t v) {
  char buffer[sizeof v];
  StoreBig64(buffer, v);
  out->append(buffer, sizeof buffer);
}

void AppendVarint64(std::string* out, uint64_t v) {
  char buffer[10];
  size_t n = 0;
  while (v >= 0x80) {
    buffer[n++] = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  buffer[n++] = static_cast<char>(v);
  out->append(buffer, n);
}

bool ConsumeVarint64(std::string_view* in, uint64_t* value) {
  uint64_t result = 0;
  const size_t limit = in->size() < 10 ? in->size() : 10;
  for (size_t i = 0; i < limit; ++i) {
    const auto byte = static_cast<uint8_t>((*in)[i]);
    // The tenth byte has one bit of use; as protobuf does, the rest is dropped.
    result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      in->remove_prefix(i + 1);
      *value = result;
      return true;
    }
  }
  return false;
}

std::string ToHex(std::string_view bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    hex.push_back(kHexDigits[static_cast<uint8_t>(c) >> 4]);
    hex.push_back(kHexDigits[static_cast<uint8_t>(c) & 15]);
  }
  return hex;
}

bool FromHex(std::string_view hex, std::string* bytes) {
  if (hex.size() % 2 != 0) return false;
  std::string result;
  result.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexValue(hex[i]);
    const int low = HexValue(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    result.push_back(static_cast<char>(high << 4 | low));
  }
  *bytes = std::move(result);
  return true;
}

std::string HexId(uint64_t id) {
  char buffer[16];
  size_t first = sizeof buffer;
  do {
    buffer[--first] = kHexDigits[id & 15];
    id >>= 4;
  } while (id != 0);
  return std::string(buffer + first, sizeof buffer - first);
}

std::string Printable(std::string_view bytes, size_t limit) {
  std::string text;
  for (const char c : bytes) {
    const bool plain = c >= 0x20 && c < 0x7f && c != '\\';
    if (text.size() + (plain ? 1 : 4) > limit) return text + "...";
    if (plain) {
      text.push_back(c);
    } else {
      text.append("\\x");
      text.push_back(kHexDigits[static_cast<uint8_t>(c) >> 4]);
      text.push_back(kHexDigits[static_cast<uint8_t>(c) & 15]);
    }
  }
  return text;
}

}  // namespace strata
