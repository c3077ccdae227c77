#ifndef STRATA_ENGINE_BTREE_BACKEND_H_
#define STRATA_ENGINE_BTREE_BACKEND_H_

#include <memory>
#include <string>

#include "base/env.h"
#include "base/logger.h"
#include "engine/backend.h"
#include "engine/btree_options.h"

namespace strata {

// A copy-on-write B+tree in one memory-mapped file in bbolt's format (etcd's
// member/snap/db), readable and writable by etcd and bbolt. Format and commit
// order: engine/btree/format.md.
//
// Write() is one bbolt transaction: durable when it returns, so Sync() has
// nothing left to do. Opening takes the file's lock (Unavailable if another
// process holds it) and makes the file if it is missing, with all tables; an
// empty file is a damaged one. A damaged file is DataLoss with path and offset,
// and is left as it was.
StatusOr<std::unique_ptr<Backend>> OpenBtreeBackend(Env* env,
                                                    const std::string& path,
                                                    const BtreeOptions& options,
                                                    Logger* logger);

}  // namespace strata

#endif  // STRATA_ENGINE_BTREE_BACKEND_H_
