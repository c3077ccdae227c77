#ifndef STRATA_ENGINE_BTREE_META_H_
#define STRATA_ENGINE_BTREE_META_H_

#include <cstdint>
#include <string>

#include "base/env.h"
#include "engine/btree/page.h"

namespace strata::btree {

inline constexpr uint32_t kMagic = 0xED0CDAED;
inline constexpr uint32_t kVersion = 2;
// In place of the freelist's page: there is none, scan the tree.
inline constexpr uint64_t kNoFreelist = ~uint64_t{0};

// What a meta page holds behind its header. Pages 0 and 1 are metas; the one
// with the higher transaction is the state of the file.
struct Meta {
  uint32_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t page_size = 0;
  uint32_t flags = 0;
  BucketHeader root = {0, 0};  // of the bucket that holds the buckets
  uint64_t freelist = kNoFreelist;
  uint64_t high_water = 0;  // pages from here on were never used
  uint64_t tx = 0;
  uint64_t checksum = 0;  // FNV-1a, 64 bits, of the bytes before it
};
static_assert(sizeof(Meta) == 64);

uint64_t MetaChecksum(const Meta& meta);

// A whole page for slot 0 or 1, checksum set. `all_sums`: every page that this
// meta's state uses has a sum; the mark of that is in the same sector.
std::string EncodeMeta(const Meta& meta, int slot, bool all_sums);

// Reads the meta that starts at the front of `bytes` (at least 80 of them).
// Empty if it is sound, else what is wrong with it.
std::string DecodeMeta(const char* bytes, int slot, Meta* meta);

// Both metas of a file, whatever they are.
struct MetaPair {
  Meta metas[2];
  std::string faults[2];  // what is wrong with each; empty if it is sound
  // It has the mark. Each meta's mark speaks for its own state alone: bbolt may
  // have written the other, and with it pages without sums.
  bool all_sums[2] = {false, false};
  uint64_t offsets[2] = {0, 0};  // where they are, or should be

  // The newer of the sound ones; -1 if there is none.
  int Newest() const;
};

// Not OK only if the file cannot be read. If meta 0 cannot tell the page size,
// meta 1 is looked for at every one.
StatusOr<MetaPair> ReadBothMetas(const File& file, uint64_t file_bytes);

struct FoundMeta {
  Meta meta;
  int slot = 0;           // where it is; the next one goes to the other
  bool all_sums = false;  // it has the mark
};

// The newest meta of a file of `file_bytes`. Both, and the rest of their pages,
// must be sound: a meta is one sector, so a crash leaves the old or the new,
// and a bad one is damage that may hide the last commit. With `accept_one` the
// sound one is taken.
StatusOr<FoundMeta> ReadMetas(const File& file, uint64_t file_bytes,
                              bool accept_one);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_META_H_
