#include "cmd/daemon/flag_set.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "cmd/daemon/values.h"

namespace strata {
namespace {

constexpr std::string_view kVariablePrefix = "ETCD_";
constexpr std::string_view kSeeHelp = "See 'stratad --help'.";

FlagError Usage(std::string text) { return {2, std::move(text)}; }
FlagError Refused(std::string text) { return {1, std::move(text)}; }

std::string InvalidValue(const std::string& value, const std::string& what,
                         const Status& status) {
  return "invalid value \"" + value + "\" for " + what + ": " +
         status.message();
}

}  // namespace

std::string VariableName(std::string_view flag) {
  std::string name(kVariablePrefix);
  for (char c : flag) {
    name +=
        c == '-'
            ? '_'
            : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

void FlagSet::Group(std::string title) {
  sections_.push_back({std::move(title), {}});
}

void FlagSet::Add(Flag flag) {
  sections_.back().flags.push_back(std::move(flag));
}

// Go's grammar: -name or --name, then =value or, but for a switch, the next
// argument.
FlagError FlagSet::ParseArguments(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const size_t dashes = argument.starts_with("--") ? 2 : 1;
    if (!argument.starts_with('-') || argument.size() == dashes) {
      return Refused("'" + argument + "' is not a valid flag. " +
                     std::string(kSeeHelp));
    }
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(
        dashes, equals == std::string::npos ? equals : equals - dashes);
    Flag* const flag = Find(name);
    if (flag == nullptr) return Unknown(name);
    std::string value = "true";
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (!flag->is_switch) {
      if (i + 1 == arguments.size()) {
        return Usage("flag needs an argument: -" + name);
      }
      value = arguments[++i];
    }
    flag->given = true;
    if (Status status = flag->set(value); !status.ok()) {
      return Usage(InvalidValue(value, "flag -" + name, status));
    }
  }
  return {};
}

FlagError FlagSet::Unknown(const std::string& name) const {
  const std::string nearest = Nearest(name, Names());
  return Usage("flag provided but not defined: -" + name +
               (nearest.empty() ? "" : "\nDid you mean --" + nearest + "?"));
}

FlagError FlagSet::ParseEnvironment(
    const std::map<std::string, std::string>& env,
    std::vector<std::string>* warnings) {
  std::vector<std::string> variables;
  for (const std::string& name : Names()) {
    const std::string variable = VariableName(name);
    variables.push_back(variable);
    const auto found = env.find(variable);
    if (found == env.end() || found->second.empty()) continue;
    Flag* flag = Find(name);
    if (flag->given) {
      warnings->push_back("environment variable " + variable +
                          " does nothing: --" + name + " is given");
      continue;
    }
    flag->given = true;
    if (Status status = flag->set(found->second); !status.ok()) {
      return Refused(InvalidValue(found->second, variable, status) + ". " +
                     std::string(kSeeHelp));
    }
  }
  for (const auto& [name, value] : env) {
    if (!name.starts_with(kVariablePrefix) ||
        std::ranges::find(variables, name) != variables.end()) {
      continue;
    }
    const std::string nearest = Nearest(name, variables);
    warnings->push_back(
        "unrecognized environment variable " + name +
        (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
  }
  return {};
}

FlagError FlagSet::ParseConfig(
    const std::vector<std::pair<std::string, std::string>>& values) {
  for (const auto& [name, value] : values) {
    Flag* const flag = Find(name);
    if (flag == nullptr) {
      const std::string nearest = Nearest(name, Names());
      return Refused(
          "unknown key \"" + name + "\"" +
          (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
    }
    const bool plain =
        value.find_first_not_of("0123456789") == std::string::npos;
    flag->given = true;
    const Status status = flag->set(
        flag->is_duration && plain && !value.empty() ? value + "ns" : value);
    if (!status.ok()) return Refused(InvalidValue(value, name, status));
  }
  return {};
}

bool FlagSet::Given(std::string_view name) const {
  const Flag* flag = const_cast<FlagSet*>(this)->Find(name);
  return flag != nullptr && flag->given;
}

Flag* FlagSet::Find(std::string_view name) {
  for (Section& section : sections_) {
    for (Flag& flag : section.flags) {
      if (flag.name == name) return &flag;
    }
  }
  return nullptr;
}

std::vector<std::string> FlagSet::Names() const {
  std::vector<std::string> names;
  for (const Section& section : sections_) {
    for (const Flag& flag : section.flags) names.push_back(flag.name);
  }
  return names;
}

std::string FlagSet::Help() const {
  std::string text;
  for (const Section& section : sections_) {
    text += "\n" + section.title + ":\n";
    for (const Flag& flag : section.flags) {
      text += "  --" + flag.name + " '" + flag.shown_default + "'\n    " +
              flag.help + "\n";
    }
  }
  return text;
}

}  // namespace strata
