#include "cmd/daemon/flag_set.h"

#include <CLI/CLI.hpp>
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

// Go takes -name for --name.
std::string WithTwoDashes(const std::string& argument) {
  const bool one_dash = argument.size() > 2 && argument[0] == '-' &&
                        argument[1] != '-' && std::isalpha(argument[1]);
  return one_dash ? "-" + argument : argument;
}

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

FlagError FlagSet::ParseArguments(const std::vector<std::string>& arguments) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<std::pair<Flag*, CLI::Option*>> options;
  for (Section& section : sections_) {
    for (Flag& flag : section.flags) {
      CLI::Option* option = app.add_option("--" + flag.name)->take_last();
      // A switch has its value behind '=' or none.
      option->expected(flag.is_switch ? 0 : 1, 1);
      options.emplace_back(&flag, option);
    }
  }
  std::vector<std::string> reversed;  // as CLI11 wants them
  for (const std::string& argument : arguments) {
    const std::string dashed = WithTwoDashes(argument);
    const Flag* flag = Find(dashed.substr(std::min<size_t>(2, dashed.size())));
    // Or the next argument would be taken for its value.
    const bool bare = flag != nullptr && flag->is_switch;
    reversed.push_back(bare ? dashed + "=true" : dashed);
  }
  std::ranges::reverse(reversed);
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch& error) {
    return Usage("flag needs an argument: " + std::string(error.what()));
  } catch (const CLI::ParseError& error) {
    return Usage(error.what());
  }
  for (const std::string& extra : app.remaining()) return Unknown(extra);
  for (auto [flag, option] : options) {
    if (option->count() == 0) continue;
    const std::string value = option->results().back();
    flag->given = true;
    if (Status status = flag->set(value); !status.ok()) {
      return Usage(InvalidValue(value, "flag -" + flag->name, status));
    }
  }
  return {};
}

FlagError FlagSet::Unknown(std::string_view argument) const {
  if (!argument.starts_with('-')) {
    return Refused("'" + std::string(argument) + "' is not a valid flag. " +
                   std::string(kSeeHelp));
  }
  argument.remove_prefix(
      std::min(argument.find_first_not_of('-'), argument.size()));
  const std::string name(argument.substr(0, argument.find('=')));
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
