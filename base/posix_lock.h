#ifndef STRATA_BASE_POSIX_LOCK_H_
#define STRATA_BASE_POSIX_LOCK_H_

#include <string>

#include "base/status.h"

namespace strata {

// Locks the open file `descriptor` as File::Lock() says; `path` is for the
// error. Thread-safe.
Status LockDescriptor(int descriptor, const std::string& path);

}  // namespace strata

#endif  // STRATA_BASE_POSIX_LOCK_H_
