#ifndef STRATA_ENGINE_LEASE_TABLE_H_
#define STRATA_ENGINE_LEASE_TABLE_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "base/types.h"

namespace strata {

// A lease as the log has it: how long it lasts, not when it ends (that is the
// leader's affair: server/lessor.h). In the lease table under its id, 8 bytes
// big-endian, as etcd's leasepb.Lease: 1 ID, 2 TTL, 3 RemainingTTL.
struct LeaseRecord {
  LeaseId id{};
  int64_t ttl_seconds = 0;
  // What was left at the last checkpoint; 0: all.
  int64_t remaining_seconds = 0;

  friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

std::string LeaseRecordKey(LeaseId id);
std::string EncodeLeaseRecord(const LeaseRecord& record);
// DataLoss if the bytes are no lease.
StatusOr<LeaseRecord> DecodeLeaseRecord(std::string_view bytes);

// Which leases there are, and which keys hang on each. Changed by one thread
// (apply), in log order; read by any.
class LeaseTable {
 public:
  // REQUIRES: it is not there
  void Grant(const LeaseRecord& record);
  // REQUIRES: no key hangs on it
  void Remove(LeaseId id);
  void SetRemaining(LeaseId id, int64_t seconds);

  // The key now hangs on `lease`, or on none (0, or one that is not there), and
  // no more on another. Cheap for keys that never had one.
  void Attach(std::string_view key, LeaseId lease);

  std::optional<LeaseRecord> Find(LeaseId id) const;
  std::vector<LeaseRecord> List() const;
  // In order; nothing for a lease that is not there.
  std::vector<std::string> Keys(LeaseId id) const;
  size_t size() const;

 private:
  struct Lease {
    LeaseRecord record;
    std::set<std::string, std::less<>> keys;
  };

  mutable std::mutex mutex_;
  // Guarded by mutex_; the changing thread reads without it.
  std::unordered_map<LeaseId, Lease> leases_;
  // The names lie in the lease's `keys`.
  std::unordered_map<std::string_view, Lease*> holders_;
};

}  // namespace strata

#endif  // STRATA_ENGINE_LEASE_TABLE_H_
