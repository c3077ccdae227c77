#ifndef STRATA_BASE_POSIX_FILE_H_
#define STRATA_BASE_POSIX_FILE_H_

#include <memory>
#include <string>

#include "base/env.h"

namespace strata {

// A File on an open descriptor, which it owns and closes.
std::unique_ptr<File> NewPosixFile(std::string path, int descriptor);

}  // namespace strata

#endif  // STRATA_BASE_POSIX_FILE_H_
