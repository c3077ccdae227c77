#ifndef STRATA_RPC_PEER_STATS_H_
#define STRATA_RPC_PEER_STATS_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "base/histogram.h"
#include "base/loop.h"
#include "base/types.h"

namespace strata::peer {

// Snapshots to a member, or from it.
struct SnapshotStats {
  uint64_t under_way = 0;
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  HistogramValue took = {};  // seconds; of those that succeeded
};

class SnapshotCounters {
 public:
  std::atomic<uint64_t> under_way = 0;

  void Ended(bool ok, Duration took) {
    --under_way;
    ++(ok ? succeeded_ : failed_);
    if (ok) took_.AddSeconds(took);
  }
  SnapshotStats Read() const {
    return {.under_way = under_way,
            .succeeded = succeeded_,
            .failed = failed_,
            .took = took_.Read()};
  }

 private:
  static constexpr auto kBounds = DoublingBounds<10>(0.1);  // as etcd's
  std::atomic<uint64_t> succeeded_ = 0;
  std::atomic<uint64_t> failed_ = 0;
  Histogram took_{kBounds};
};

// Of one member, since it is known: what etcd's etcd_network_peer_* metrics
// show. A value.
struct PeerStats {
  // As etcd's: 0.1 ms, doubled 15 times, and beyond.
  static constexpr int kRoundTripBuckets = 17;

  MemberId member = {};
  bool active = false;
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t sent_failures = 0;
  uint64_t times_lost = 0;  // it was active and then was not
  std::array<uint64_t, kRoundTripBuckets> round_trips = {};
  Duration round_trips_total = {};
  Duration last_round_trip = {};
  SnapshotStats snapshots_sent = {};
  SnapshotStats snapshots_received = {};
};

// Counts them. Thread-safe.
class PeerCounters {
 public:
  std::atomic<uint64_t> sent_bytes = 0;
  std::atomic<uint64_t> received_bytes = 0;
  std::atomic<uint64_t> sent_failures = 0;
  std::atomic<uint64_t> times_lost = 0;

  SnapshotCounters snapshots_sent;
  SnapshotCounters snapshots_received;

  void AddRoundTrip(Duration took) {
    constexpr uint64_t kFirst = 100'000;  // nanoseconds
    const auto steps = static_cast<uint64_t>(took.count() - 1) / kFirst;
    const int bucket = took.count() <= 0 ? 0 : std::bit_width(steps);
    round_trips_[static_cast<size_t>(
        std::min(bucket, PeerStats::kRoundTripBuckets - 1))]++;
    round_trips_total_ += took.count();
    last_round_trip_ = took.count();
  }
  PeerStats Read() const {
    PeerStats stats;
    stats.sent_bytes = sent_bytes;
    stats.received_bytes = received_bytes;
    stats.sent_failures = sent_failures;
    stats.times_lost = times_lost;
    for (size_t i = 0; i < stats.round_trips.size(); ++i) {
      stats.round_trips[i] = round_trips_[i];
    }
    stats.round_trips_total = Duration(round_trips_total_);
    stats.last_round_trip = Duration(last_round_trip_);
    stats.snapshots_sent = snapshots_sent.Read();
    stats.snapshots_received = snapshots_received.Read();
    return stats;
  }

 private:
  std::array<std::atomic<uint64_t>, PeerStats::kRoundTripBuckets> round_trips_ =
      {};
  std::atomic<int64_t> round_trips_total_ = 0;
  std::atomic<int64_t> last_round_trip_ = 0;
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_STATS_H_
