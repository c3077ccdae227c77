#ifndef STRATA_ENGINE_BTREE_OPTIONS_H_
#define STRATA_ENGINE_BTREE_OPTIONS_H_

#include <cstdint>

namespace strata {

// How the list of free pages is kept in memory; the file is the same
// (engine/btree/free_runs.h says what they do).
enum class FreelistType { kArray, kMap };

// Whether the file is read into memory when it is mapped: an open takes longer,
// and no read after it waits for the disk.
enum class MmapPopulate {
  kOff,
  kOn,
  kAuto,  // if the file is at most half of the memory that is available
};

struct BtreeOptions {
  // 0: the size found in the file, and the system's page size for a new one.
  uint32_t page_size = 0;
  FreelistType freelist_type = FreelistType::kMap;
  // Off: the list is not written; an open scans the tree instead. etcd's
  // default on Linux.
  bool freelist_sync = false;
  // Address space reserved at open, so that growing needs no remapping. Takes
  // no memory.
  uint64_t initial_mmap_bytes = uint64_t{10} << 30;
  MmapPopulate mmap_populate = MmapPopulate::kOff;
  // Keeps the file's pages in memory; fails to open beyond RLIMIT_MEMLOCK.
  bool mlock = false;
  // Pages of a split at the end are filled to this share, 0.1 to 1. Revision
  // keys only grow: no page but the last needs room. (etcd takes 0.9.)
  double fill_fraction = 1;
  // Off: nothing survives a power loss. For tests and throw-away data.
  bool fsync = true;
  bool read_only = false;
  // A file with one damaged meta page is refused, as that page may have named
  // the last commit. On: the other meta's state is opened. For offline tools
  // that ask before; the next Write() replaces the damaged one.
  bool accept_one_meta = false;
};

}  // namespace strata

#endif  // STRATA_ENGINE_BTREE_OPTIONS_H_
