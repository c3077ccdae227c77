#ifndef STRATA_CMD_DAEMON_FLAG_SET_H_
#define STRATA_CMD_DAEMON_FLAG_SET_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata {

// One flag: how it is shown, and what it does with a value.
struct Flag {
  std::string name;  // without dashes
  std::string shown_default;
  std::string help;
  std::function<Status(const std::string& value)> set;
  bool is_switch = false;  // may stand without a value, which is then "true"
  bool given = false;      // on the command line, by its variable or file
  // A plain number in a configuration file is of nanoseconds.
  bool is_duration = false;
};

// What is wrong with a command line, and the exit code it deserves.
struct FlagError {
  int exit_code = 0;  // 0: nothing is wrong
  std::string text;
};

// Flags in groups, with etcd's rules: Go's notation, ETCD_ variables for those
// not given, and its words and exit codes for errors.
class FlagSet {
 public:
  // Flags added from now on are shown under `title`.
  void Group(std::string title);
  void Add(Flag flag);

  FlagError ParseArguments(const std::vector<std::string>& arguments);
  // For those that were not given. Adds a warning for each variable that does
  // nothing.
  FlagError ParseEnvironment(const std::map<std::string, std::string>& env,
                             std::vector<std::string>* warnings);

  // The values of a configuration file; unknown keys are refused.
  FlagError ParseConfig(
      const std::vector<std::pair<std::string, std::string>>& values);

  bool Given(std::string_view name) const;
  // "Member:\n  --name 'default'\n    Human-readable ...", as etcd shows it.
  std::string Help() const;

 private:
  struct Section {
    std::string title;
    std::vector<Flag> flags;
  };

  Flag* Find(std::string_view name);
  std::vector<std::string> Names() const;
  FlagError Unknown(const std::string& name) const;

  std::vector<Section> sections_;
};

// "ETCD_DATA_DIR" of "data-dir".
std::string VariableName(std::string_view flag);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_FLAG_SET_H_
