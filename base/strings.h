#ifndef STRATA_BASE_STRINGS_H_
#define STRATA_BASE_STRINGS_H_

#include <string>
#include <string_view>
#include <vector>

namespace strata {

// "a,b" -> {"a", "b"}; empty parts are kept, "" is {""}.
std::vector<std::string> SplitCommas(std::string_view text);
// {"a", "b"} -> "a,b"
std::string JoinCommas(const std::vector<std::string>& parts);

// The end of the range of keys that begin with `prefix`, which ends with '/'.
std::string PathPrefixEnd(std::string prefix);

}  // namespace strata

#endif  // STRATA_BASE_STRINGS_H_
