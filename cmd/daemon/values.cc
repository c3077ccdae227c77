#include "cmd/daemon/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/strings.h"

namespace strata {
namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
// Longer names first: "ms" is not minutes.
constexpr std::array<Unit, 7> kUnits = {{{"ns", 1},
                                         {"us", 1e3},
                                         {"µs", 1e3},
                                         {"ms", 1e6},
                                         {"s", 1e9},
                                         {"m", 60e9},
                                         {"h", 3600e9}}};
constexpr double kDurationMax = 9.2e18;

Status ParseError() { return InvalidArgumentError("parse error"); }

// Takes "1.5ms" off the front of `text`.
StatusOr<double> TakeTerm(std::string_view* text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), number,
                      std::chars_format::fixed);
  if (error != std::errc() || std::signbit(number)) return ParseError();
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  for (const Unit& unit : kUnits) {
    if (!text->starts_with(unit.name)) continue;
    text->remove_prefix(unit.name.size());
    return number * unit.nanoseconds;
  }
  return ParseError();
}

bool IsUnix(std::string_view scheme) {
  return scheme == "unix" || scheme == "unixs";
}

bool IsScheme(std::string_view scheme) {
  return scheme == "http" || scheme == "https" || IsUnix(scheme);
}

bool IsPort(std::string_view text) {
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && parsed == end;
}

Status CheckUrl(std::string_view url) {
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos || !IsScheme(url.substr(0, colon))) {
    return InvalidArgumentError(
        "URL scheme must be http, https, unix, or unixs: " + std::string(url));
  }
  if (IsUnix(url.substr(0, colon))) return Status::Ok();
  const std::string_view host = url.substr(colon + 3);
  if (host.find_first_of("/?#") != std::string_view::npos) {
    return InvalidArgumentError("URL must not contain a path: " +
                                std::string(url));
  }
  const size_t port = host.rfind(':');
  if (port == std::string_view::npos || port == 0 ||
      !IsPort(host.substr(port + 1))) {
    return InvalidArgumentError(
        "URL address does not have the form \"host:port\": " +
        std::string(url));
  }
  return Status::Ok();
}

bool IsIpAddress(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  std::array<unsigned char, sizeof(in6_addr)> address;
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

// Levenshtein's distance.
size_t Edits(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

StatusOr<Duration> ParseDuration(std::string_view text) {
  if (text == "0") return Duration::zero();
  double nanoseconds = 0;
  do {
    ASSIGN_OR_RETURN(const double term, TakeTerm(&text));
    nanoseconds += term;
  } while (!text.empty());
  if (nanoseconds > kDurationMax) return ParseError();
  return Duration(static_cast<int64_t>(nanoseconds));
}

StatusOr<std::vector<std::string>> ParseUrls(std::string_view text) {
  std::vector<std::string> urls = SplitCommas(text);
  for (const std::string& url : urls) RETURN_IF_ERROR(CheckUrl(url));
  std::ranges::sort(urls);
  return urls;
}

StatusOr<ListenUrl> ParseListenUrl(const std::string& url) {
  const size_t end = url.find("://");
  const std::string scheme = url.substr(0, end);
  const std::string rest = url.substr(end + 3);
  const bool tls = scheme == "https" || scheme == "unixs";
  if (IsUnix(scheme)) {
    return ListenUrl{.url = url, .address = "unix:" + rest, .tls = tls};
  }
  const size_t colon = rest.rfind(':');
  const std::string host = rest.substr(0, colon);
  if (host != "localhost" && !IsIpAddress(host)) {
    return InvalidArgumentError("expected IP in URL for binding (" + url + ")");
  }
  return ListenUrl{.url = url,
                   .address = (host == "localhost" ? "127.0.0.1" : host) +
                              rest.substr(colon),
                   .tls = tls};
}

StatusOr<std::vector<ListenUrl>> ParseListenUrls(
    const std::vector<std::string>& urls) {
  std::vector<ListenUrl> parsed;
  for (const std::string& url : urls) {
    ASSIGN_OR_RETURN(ListenUrl one, ParseListenUrl(url));
    parsed.push_back(std::move(one));
  }
  return parsed;
}

StatusOr<AutoCompaction> ParseCompaction(std::string_view mode,
                                         std::string_view retention) {
  if (mode != "periodic" && mode != "revision") {
    return InvalidArgumentError("unknown auto-compaction-mode \"" +
                                std::string(mode) + "\"");
  }
  AutoCompaction keep;
  int64_t number = 0;
  const char* const end = retention.data() + retention.size();
  const auto [parsed, error] = std::from_chars(retention.data(), end, number);
  const bool plain = error == std::errc() && parsed == end && number >= 0;
  if (plain && mode == "revision") {
    keep.revisions = number;
  } else if (plain) {
    keep.period = std::chrono::hours(number);
  } else if (const auto period = ParseDuration(retention);
             period.ok() && mode == "periodic") {
    keep.period = *period;
  } else {
    return InvalidArgumentError(
        "auto-compaction-retention \"" + std::string(retention) + "\" is no " +
        (mode == "revision" ? "number of revisions" : "duration"));
  }
  return keep;
}

std::string Nearest(std::string_view name,
                    const std::vector<std::string>& names) {
  std::string nearest;
  size_t fewest = name.size() / 2 + 1;
  for (const std::string& candidate : names) {
    const size_t edits = Edits(name, candidate);
    if (edits >= fewest) continue;
    fewest = edits;
    nearest = candidate;
  }
  return nearest;
}

}  // namespace strata
