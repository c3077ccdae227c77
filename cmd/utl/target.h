#ifndef STRATA_CMD_UTL_TARGET_H_
#define STRATA_CMD_UTL_TARGET_H_

#include <string>

#include "base/env.h"
#include "base/status.h"
#include "cmd/utl/command.h"

namespace strata::utl {

// What a command looks at: a file, or the files of a data directory.
struct Target {
  std::string file;
  std::string data_dir;
};

// Adds `[FILE]`, called `what` in the help, and --data-dir.
void AddTarget(CLI::App* command, Target* target, const std::string& what);

// Where things are in a data directory.
std::string DatabaseIn(const std::string& data_dir);
std::string SnapIn(const std::string& data_dir);
std::string WalIn(const std::string& data_dir);

// The db file: FILE itself, or that of the data directory, which FILE may be
// too. InvalidArgument unless exactly one of both was given.
StatusOr<std::string> DatabasePath(Env* env, const Target& target);

// The directory of the log, in the same way.
StatusOr<std::string> WalPath(Env* env, const Target& target);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_TARGET_H_
