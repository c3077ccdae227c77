#include "cmd/utl/command.h"

#include <CLI/CLI.hpp>
#include <utility>

namespace strata::utl {
namespace {

template <typename T>
void Add(CLI::App* command, const std::string& name, T* value,
         const std::string& help, Need need) {
  command->add_option(name, *value, help)->required(need == Need::kRequired);
}

}  // namespace

CLI::App* AddCommand(CLI::App* parent, const std::string& name,
                     const std::string& about) {
  return parent->add_subcommand(name, about);
}

CLI::App* AddFamily(CLI::App* parent, const std::string& name,
                    const std::string& about) {
  CLI::App* family = AddCommand(parent, name, about);
  family->require_subcommand(1);
  return family;
}

void SetNotes(CLI::App* command, const std::string& notes) {
  command->footer(notes);
}

void AddOption(CLI::App* command, const std::string& name, std::string* value,
               const std::string& help, Need need) {
  Add(command, name, value, help, need);
}

void AddOption(CLI::App* command, const std::string& name, uint64_t* value,
               const std::string& help, Need need) {
  Add(command, name, value, help, need);
}

void AddOption(CLI::App* command, const std::string& name, int64_t* value,
               const std::string& help, Need need) {
  Add(command, name, value, help, need);
}

void AddList(CLI::App* command, const std::string& name,
             std::vector<std::string>* values, const std::string& help) {
  command->add_option(name, *values, help)
      ->delimiter(',')
      ->expected(1)
      ->type_name("LIST");
}

void AddSwitch(CLI::App* command, const std::string& name, bool* value,
               const std::string& help) {
  command->add_flag(name, *value, help);
}

void AddChoice(CLI::App* command, const std::string& name, std::string* value,
               const std::vector<std::string>& words, const std::string& help,
               Need need) {
  command->add_option(name, *value, help)
      ->check(CLI::IsMember(words))
      ->required(need == Need::kRequired);
}

void OnChosen(CLI::App* command, std::function<void()> callback) {
  command->callback(std::move(callback));
}

}  // namespace strata::utl
