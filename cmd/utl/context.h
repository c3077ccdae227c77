#ifndef STRATA_CMD_UTL_CONTEXT_H_
#define STRATA_CMD_UTL_CONTEXT_H_

#include <functional>
#include <ostream>

#include "base/env.h"
#include "base/status.h"

namespace strata::utl {

// etcdutl's --write-out, as far as it has a meaning here.
enum class Format {
  kSimple,  // for people
  kJson,    // lists are one object per line
  kTable,   // in boxes, as etcdctl draws them
};

// The world of a command. Borrowed, but for the values.
struct Context {
  Env* env = nullptr;
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  Format format = Format::kSimple;
  bool err_is_terminal = false;  // progress is shown there
};

// A command with its arguments, ready to run.
using Action = std::function<Status(const Context&)>;

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_CONTEXT_H_
