#ifndef STRATA_ENGINE_STORE_STATS_H_
#define STRATA_ENGINE_STORE_STATS_H_

#include <cstdint>

#include "base/histogram.h"

namespace strata {

// What a store has done since it was opened. A value. Durations in seconds,
// unless they say milliseconds.
struct StoreStats {
  uint64_t ranges = 0;
  uint64_t puts = 0;
  uint64_t deletes = 0;  // requests, not keys
  uint64_t txns = 0;     // of more than one operation
  uint64_t put_bytes = 0;
  uint64_t keys = 0;  // now

  uint64_t removed_changes = 0;       // by compactions
  int64_t last_compaction_wall = 0;   // nanoseconds since 1970; 0: none yet
  HistogramValue compaction_ms = {};  // from its first step to its last
  HistogramValue compaction_index_pause_ms = {};  // steps in the index
  HistogramValue compaction_pause_ms = {};        // and in the backend

  HistogramValue commit = {};  // a run into the backend, durable
  HistogramValue commit_write = {};
  HistogramValue hash = {};
  HistogramValue hash_revision = {};
  HistogramValue snapshot = {};
  HistogramValue shrink = {};  // on request
  bool shrinking = false;
  uint64_t shrink_written_bytes = 0;
  uint64_t readers = 0;  // of states that are no longer the newest
};

// The sum of the whole store, as etcd's Maintenance.Hash.
struct HashResult {
  uint32_t hash = 0;
  int64_t revision = 0;
};

}  // namespace strata

#endif  // STRATA_ENGINE_STORE_STATS_H_
