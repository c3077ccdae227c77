#ifndef STRATA_CMD_UTL_COMMAND_H_
#define STRATA_CMD_UTL_COMMAND_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cmd/utl/context.h"

namespace CLI {
class App;
}

// How the commands say what they take: the little of CLI11 that they need,
// which only command.cc and utl.cc include.
namespace strata::utl {

// A command below `parent`.
CLI::App* AddCommand(CLI::App* parent, const std::string& name,
                     const std::string& about);
// One that has commands below it, of which one must be given.
CLI::App* AddFamily(CLI::App* parent, const std::string& name,
                    const std::string& about);
// What stands at the end of its help: each has an example.
void SetNotes(CLI::App* command, const std::string& notes);

enum class Need { kOptional, kRequired };

// "--name" is an option, "NAME" an argument. The value must outlive the parse.
void AddOption(CLI::App* command, const std::string& name, std::string* value,
               const std::string& help, Need need = Need::kOptional);
void AddOption(CLI::App* command, const std::string& name, uint64_t* value,
               const std::string& help, Need need = Need::kOptional);
void AddOption(CLI::App* command, const std::string& name, int64_t* value,
               const std::string& help, Need need = Need::kOptional);
// Separated by commas; given, it replaces what is there.
void AddList(CLI::App* command, const std::string& name,
             std::vector<std::string>* values, const std::string& help);
void AddSwitch(CLI::App* command, const std::string& name, bool* value,
               const std::string& help);
// One of `words`.
void AddChoice(CLI::App* command, const std::string& name, std::string* value,
               const std::vector<std::string>& words, const std::string& help,
               Need need = Need::kOptional);

// Called if the command line names this command.
void OnChosen(CLI::App* command, std::function<void()> callback);

// Has `run` called with the options if the command line names this command.
template <typename Options>
void Choose(CLI::App* command, std::shared_ptr<Options> options,
            Status (*run)(const Context& context, const Options& options),
            Action* chosen) {
  OnChosen(command, [options, run, chosen] {
    *chosen = [options, run](const Context& context) {
      return run(context, *options);
    };
  });
}

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_COMMAND_H_
