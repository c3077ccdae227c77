#include "engine/store_stats.h"

#include <shared_mutex>

#include "engine/store_impl.h"

namespace strata {

StoreStats StoreImpl::stats() const {
  StoreStats stats;
  stats.ranges = counters_.ranges.load(std::memory_order_relaxed);
  stats.puts = counters_.puts.load(std::memory_order_relaxed);
  stats.deletes = counters_.deletes.load(std::memory_order_relaxed);
  stats.txns = counters_.txns.load(std::memory_order_relaxed);
  stats.put_bytes = counters_.put_bytes.load(std::memory_order_relaxed);
  {
    const std::shared_lock<RwLock> lock(mutex_);
    stats.keys = index_.size();
  }
  stats.removed_changes =
      counters_.removed_changes.load(std::memory_order_relaxed);
  stats.last_compaction_wall =
      counters_.last_compaction_wall.load(std::memory_order_relaxed);
  stats.compaction_ms = counters_.compaction_ms.Read();
  stats.compaction_index_pause_ms = counters_.compaction_index_pause_ms.Read();
  stats.compaction_pause_ms = counters_.compaction_pause_ms.Read();
  stats.commit = counters_.commit.Read();
  stats.commit_write = counters_.commit_write.Read();
  stats.hash = counters_.hash.Read();
  stats.hash_revision = counters_.hash_revision.Read();
  stats.snapshot = counters_.snapshot.Read();
  stats.shrink = counters_.shrink.Read();
  stats.shrink_written_bytes =
      counters_.shrink_written_bytes.load(std::memory_order_relaxed);
  const std::lock_guard<std::mutex> lock(tail_mutex_);
  stats.shrinking = shrinking_ || !shrink_requests_.empty();
  stats.readers = readers_.size();
  return stats;
}

}  // namespace strata
