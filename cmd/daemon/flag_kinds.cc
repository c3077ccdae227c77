#include "cmd/daemon/flag_kinds.h"

#include <set>

#include "base/strings.h"
#include "cmd/daemon/values.h"

namespace strata {

Flag TextFlag(std::string name, std::string* target, std::string help) {
  auto set = [target](const std::string& value) {
    *target = value;
    return Status::Ok();
  };
  return {.name = std::move(name),
          .shown_default = *target,
          .help = std::move(help),
          .set = set};
}

Flag ListFlag(std::string name, std::vector<std::string>* target,
              std::string help) {
  auto set = [target](const std::string& value) {
    *target = value.empty() ? std::vector<std::string>() : SplitCommas(value);
    return Status::Ok();
  };
  return {.name = std::move(name),
          .shown_default = "",
          .help = std::move(help),
          .set = set};
}

Flag DurationFlag(std::string name, Duration* target, std::string shown,
                  std::string help) {
  auto set = [target](const std::string& value) {
    ASSIGN_OR_RETURN(*target, ParseDuration(value));
    return Status::Ok();
  };
  return {.name = std::move(name),
          .shown_default = std::move(shown),
          .help = std::move(help),
          .set = set,
          .is_duration = true};
}

Flag MillisecondsFlag(std::string name, Duration* target, std::string help) {
  auto set = [name, target](const std::string& value) {
    uint32_t milliseconds = 0;
    RETURN_IF_ERROR(NumberFlag(name, &milliseconds, "").set(value));
    *target = std::chrono::milliseconds(milliseconds);
    return Status::Ok();
  };
  return {.name = std::move(name),
          .shown_default = std::to_string(
              std::chrono::duration_cast<std::chrono::milliseconds>(*target)
                  .count()),
          .help = std::move(help),
          .set = set};
}

Flag UrlsFlag(std::string name, std::vector<std::string>* target,
              std::string help) {
  auto set = [target](const std::string& value) {
    ASSIGN_OR_RETURN(*target, ParseUrls(value));
    return Status::Ok();
  };
  return {.name = std::move(name),
          .shown_default = target->empty() ? "" : target->front(),
          .help = std::move(help),
          .set = set};
}

Flag SwitchFlag(std::string name, bool* target, std::string help) {
  auto set = [target](const std::string& value) {
    static const std::set<std::string> kTrue = {"1",    "t",    "T",
                                                "TRUE", "true", "True"};
    static const std::set<std::string> kFalse = {"0",     "f",     "F",
                                                 "FALSE", "false", "False"};
    *target = kTrue.contains(value);
    return *target || kFalse.contains(value)
               ? Status::Ok()
               : InvalidArgumentError("parse error");
  };
  return {.name = std::move(name),
          .shown_default = *target ? "true" : "false",
          .help = std::move(help),
          .set = set,
          .is_switch = true};
}

Flag ChoiceFlag(std::string name, std::string shown,
                std::map<std::string, std::function<void()>> choices,
                std::string help) {
  auto set = [choices = std::move(choices)](const std::string& value) {
    if (const auto found = choices.find(value); found != choices.end()) {
      found->second();
      return Status::Ok();
    }
    std::string words;
    for (const auto& [word, action] : choices) {
      words += (words.empty() ? "" : ", ") + word;
    }
    return InvalidArgumentError("invalid value; it is one of " + words);
  };
  return {.name = std::move(name),
          .shown_default = std::move(shown),
          .help = std::move(help),
          .set = std::move(set)};
}

}  // namespace strata
