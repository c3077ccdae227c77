#ifndef STRATA_SERVER_NODE_STATS_H_
#define STRATA_SERVER_NODE_STATS_H_

#include <atomic>
#include <cstdint>

#include "base/histogram.h"
#include "engine/store_stats.h"

namespace strata {

// What a member has done since it was opened. A value; durations in seconds.
struct NodeStats {
  StoreStats store = {};

  uint64_t log_bytes = 0;         // written
  HistogramValue log_sync = {};   // a batch, written and synced
  HistogramValue snap_save = {};  // a .snap file

  uint64_t leader_changes = 0;  // to another than before
  uint64_t proposals_pending = 0;
  uint64_t proposals_failed = 0;
  uint64_t slow_applies = 0;
  int64_t quota_bytes = 0;

  uint64_t leases_granted = 0;
  uint64_t leases_revoked = 0;
  uint64_t leases_renewed = 0;
  uint64_t leases_expired = 0;
  HistogramValue lease_ttl = {};
};

// The same while it is counted, with etcd's bounds. Thread-safe.
struct NodeCounters {
  static constexpr auto kSyncBounds = DoublingBounds<14>(0.001);
  static constexpr auto kTtlBounds = DoublingBounds<24>(1);

  std::atomic<uint64_t> log_bytes{0};
  Histogram log_sync{kSyncBounds};
  Histogram snap_save{kSyncBounds};
  std::atomic<uint64_t> leader_changes{0};
  std::atomic<uint64_t> proposals_failed{0};
  std::atomic<uint64_t> leases_granted{0};
  std::atomic<uint64_t> leases_revoked{0};
  Histogram lease_ttl{kTtlBounds};
};

}  // namespace strata

#endif  // STRATA_SERVER_NODE_STATS_H_
