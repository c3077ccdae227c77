// stratautl: explains and checks the files of a data directory, offline.

#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "base/env.h"
#include "cmd/utl/utl.h"

int main(int argc, char** argv) {
  strata::utl::Context context;
  context.env = strata::Env::Posix();
  context.out = &std::cout;
  context.err = &std::cerr;
  context.err_is_terminal = isatty(STDERR_FILENO) != 0;
  std::ios::sync_with_stdio(false);
  return strata::utl::Run(std::vector<std::string>(argv + 1, argv + argc),
                          context);
}
