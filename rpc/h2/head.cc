#include "rpc/h2/head.h"

#include <charconv>
#include <chrono>
#include <cstdint>

namespace strata {
namespace {

constexpr std::string_view kContentType = "application/grpc";
// More than a hundred years; what is longer is for ever.
constexpr int64_t kMaxSeconds = 4'000'000'000;

bool IsGrpc(std::string_view type) {
  return type.starts_with(kContentType) &&
         (type.size() == kContentType.size() ||
          type[kContentType.size()] == '+' || type[kContentType.size()] == ';');
}

std::optional<Duration> UnitOf(char letter) {
  switch (letter) {
    case 'H':
      return std::chrono::hours(1);
    case 'M':
      return std::chrono::minutes(1);
    case 'S':
      return std::chrono::seconds(1);
    case 'm':
      return std::chrono::milliseconds(1);
    case 'u':
      return std::chrono::microseconds(1);
    case 'n':
      return std::chrono::nanoseconds(1);
    default:
      return std::nullopt;
  }
}

}  // namespace

void AddToHead(std::string_view name, std::string_view value, CallHead* head) {
  if (name == ":path") {
    head->path = value;
  } else if (name == "content-type") {
    head->is_grpc = IsGrpc(value);
  } else if (name == "grpc-timeout") {
    head->timeout = ParseTimeout(value);
  } else if (name == "grpc-encoding") {
    head->encoding = value;
  } else if (name == "hasleader") {
    head->asks_for_leader = value == "true";
  }
}

std::optional<Duration> ParseTimeout(std::string_view text) {
  // At most eight digits.
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  const std::optional<Duration> unit = UnitOf(text.back());
  text.remove_suffix(1);
  int64_t value = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (!unit.has_value() || parsed.ec != std::errc() || value < 0 ||
      parsed.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  if (*unit >= std::chrono::seconds(1) &&
      value > kMaxSeconds / (*unit / std::chrono::seconds(1))) {
    value = kMaxSeconds / (*unit / std::chrono::seconds(1));
  }
  return *unit * value;
}

std::string PercentEncoded(std::string_view message) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(message.size());
  for (const char byte : message) {
    if (byte >= ' ' && byte <= '~' && byte != '%') {
      encoded += byte;
    } else {
      const auto bits = static_cast<uint8_t>(byte);
      encoded += {'%', kHex[bits >> 4], kHex[bits & 15]};
    }
  }
  return encoded;
}

}  // namespace strata
