#ifndef STRATA_CMD_UTL_UTL_H_
#define STRATA_CMD_UTL_UTL_H_

#include <string>
#include <vector>

#include "cmd/utl/context.h"

namespace strata::utl {

// Runs one command line, without the program's name; `context.format` is set by
// it. Returns the exit code: 0, or 1 for any error, which is then said on
// context.err.
int Run(const std::vector<std::string>& arguments, Context context);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_UTL_H_
