#ifndef STRATA_CMD_DAEMON_FLAG_KINDS_H_
#define STRATA_CMD_DAEMON_FLAG_KINDS_H_

#include <charconv>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "cmd/daemon/flag_set.h"

// Flags by what their values are. The target's value at the time is the default
// that is shown.
namespace strata {

template <typename Number>
Flag NumberFlag(const std::string& name, Number* target,
                const std::string& help) {
  auto set = [target](const std::string& value) {
    Number number = 0;
    const char* const end = value.data() + value.size();
    const auto [parsed, error] = std::from_chars(value.data(), end, number);
    if (error == std::errc::result_out_of_range) {
      return InvalidArgumentError("value out of range");
    }
    if (error != std::errc() || parsed != end) {
      return InvalidArgumentError("parse error");
    }
    *target = number;
    return Status::Ok();
  };
  return {.name = name,
          .shown_default = std::to_string(*target),
          .help = help,
          .set = set};
}

Flag TextFlag(std::string name, std::string* target, std::string help);
// "a,b"; empty is none.
Flag ListFlag(std::string name, std::vector<std::string>* target,
              std::string help);
Flag DurationFlag(std::string name, Duration* target, std::string shown,
                  std::string help);
// A number of milliseconds.
Flag MillisecondsFlag(std::string name, Duration* target, std::string help);
Flag UrlsFlag(std::string name, std::vector<std::string>* target,
              std::string help);
// Go's notation of a truth.
Flag SwitchFlag(std::string name, bool* target, std::string help);
// One of a few words.
Flag ChoiceFlag(std::string name, std::string shown,
                std::map<std::string, std::function<void()>> choices,
                std::string help);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_FLAG_KINDS_H_
