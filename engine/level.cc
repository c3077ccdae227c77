#include "engine/level.h"

#include <charconv>

namespace strata {

StatusOr<Level> Level::Parse(std::string_view text) {
  for (const Level level : {V3_4(), V3_5(), V3_6()}) {
    if (text == level.ToString()) return level;
  }
  return InvalidArgumentError("no etcd level " + std::string(text) +
                              ": it is 3.4, 3.5 or 3.6");
}

StatusOr<Level> Level::OfClusterVersion(std::string_view version) {
  int major = 0;
  int minor = 0;
  const char* const end = version.data() + version.size();
  auto parsed = std::from_chars(version.data(), end, major);
  if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '.') {
    parsed = std::from_chars(parsed.ptr + 1, end, minor);
  } else {
    parsed.ec = std::errc::invalid_argument;
  }
  if (parsed.ec != std::errc()) {
    return InvalidArgumentError("no cluster version: " + std::string(version));
  }
  if (major < 3 || (major == 3 && minor < 4)) return V3_4();
  if (major == 3 && minor <= V3_6().minor_) return Level(minor);
  return FailedPreconditionError("the cluster is at version " +
                                 std::string(version) +
                                 ", the latest known here is 3.6");
}

std::string Level::ToString() const { return "3." + std::to_string(minor_); }

std::string Level::ClusterVersion() const { return ToString() + ".0"; }

}  // namespace strata
