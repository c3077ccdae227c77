#include "base/strings.h"

#include "base/check.h"

namespace strata {

std::vector<std::string> SplitCommas(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t comma = 0; comma != std::string_view::npos;) {
    comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    if (comma != std::string_view::npos) text.remove_prefix(comma + 1);
  }
  return parts;
}

std::string JoinCommas(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) joined += ',';
    joined += part;
  }
  return joined;
}

std::string PathPrefixEnd(std::string prefix) {
  CHECK(prefix.ends_with('/'));
  ++prefix.back();
  return prefix;
}

}  // namespace strata
