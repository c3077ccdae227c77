#ifndef STRATA_ENGINE_STORE_COUNTERS_H_
#define STRATA_ENGINE_STORE_COUNTERS_H_

#include <atomic>
#include <cstdint>

#include "base/histogram.h"

namespace strata {

// What a store counts while it works, with etcd's bounds of its histograms.
struct StoreCounters {
  static constexpr auto kCommitBounds = DoublingBounds<14>(0.001);
  static constexpr auto kHashBounds = DoublingBounds<15>(0.01);
  static constexpr auto kSnapshotBounds = DoublingBounds<17>(0.01);
  static constexpr auto kShrinkBounds = DoublingBounds<13>(0.1);
  static constexpr auto kCompactionBounds = DoublingBounds<14>(100);
  static constexpr auto kPauseBounds = DoublingBounds<13>(1);
  static constexpr auto kIndexPauseBounds = DoublingBounds<14>(0.5);

  // The apply thread's.
  std::atomic<uint64_t> puts{0};
  std::atomic<uint64_t> deletes{0};
  std::atomic<uint64_t> txns{0};
  std::atomic<uint64_t> put_bytes{0};
  // Readers'; on a line of their own.
  alignas(64) std::atomic<uint64_t> ranges{0};

  // Work's.
  alignas(64) std::atomic<uint64_t> removed_changes{0};
  std::atomic<int64_t> last_compaction_wall{0};
  std::atomic<uint64_t> shrink_written_bytes{0};
  Histogram commit{kCommitBounds};
  Histogram commit_write{kCommitBounds};
  Histogram compaction_ms{kCompactionBounds};
  Histogram compaction_index_pause_ms{kIndexPauseBounds};
  Histogram compaction_pause_ms{kPauseBounds};
  Histogram shrink{kShrinkBounds};
  // Any thread's.
  Histogram hash{kHashBounds};
  Histogram hash_revision{kHashBounds};
  Histogram snapshot{kSnapshotBounds};
};

}  // namespace strata

#endif  // STRATA_ENGINE_STORE_COUNTERS_H_
