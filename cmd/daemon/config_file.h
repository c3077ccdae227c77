#ifndef STRATA_CMD_DAEMON_CONFIG_FILE_H_
#define STRATA_CMD_DAEMON_CONFIG_FILE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace strata {

// A flag's name and its value, as they would be given on the command line.
using FlagValues = std::vector<std::pair<std::string, std::string>>;

// etcd's configuration file, YAML or JSON, as flags: its keys are their names.
// What is in client-transport-security and peer-transport-security has the
// names of the flags for it; a list is joined by commas. InvalidArgument, with
// the line, for what is no such file.
StatusOr<FlagValues> ParseConfig(const std::string& text);

// The same of a file.
StatusOr<FlagValues> ReadConfigFile(const std::string& path);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_CONFIG_FILE_H_
