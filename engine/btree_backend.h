#ifndef STRATA_ENGINE_BTREE_BACKEND_H_
#define STRATA_ENGINE_BTREE_BACKEND_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/logger.h"
#include "engine/backend.h"

namespace strata {

// How the list of free pages is kept in memory; the file is the same.
enum class FreelistType { kArray, kMap };

struct BtreeOptions {
  // 0: the size found in the file, and the system's page size for a new one.
  uint32_t page_size = 0;
  FreelistType freelist_type = FreelistType::kMap;
  // Off: the list is not written; an open scans the tree instead. etcd's
  // default on Linux.
  bool freelist_sync = false;
  // Address space reserved at open, so that growing needs no remapping.
  uint64_t initial_mmap_bytes = uint64_t{10} << 30;
  bool mmap_populate = false;
  bool mlock = false;
  // A page is split when it would be fuller than this share; revision keys only
  // grow, so etcd fills the key table to 0.9.
  double fill_fraction = 0.9;
  // Off: nothing survives a power loss. For tests and throw-away data.
  bool fsync = true;
  bool read_only = false;
};

// A copy-on-write B+tree in one memory-mapped file in bbolt's format (etcd's
// member/snap/db), readable and writable by etcd and bbolt. Format and commit
// order: engine/btree/format.md.
//
// Write() is one bbolt transaction: durable when it returns, so Sync() has
// nothing left to do. Opening takes the file's lock (Unavailable if another
// process holds it). A damaged file is DataLoss with path and offset, and is
// left as it was.
StatusOr<std::unique_ptr<Backend>> OpenBtreeBackend(Env* env,
                                                    const std::string& path,
                                                    const BtreeOptions& options,
                                                    Logger* logger);

}  // namespace strata

#endif  // STRATA_ENGINE_BTREE_BACKEND_H_
