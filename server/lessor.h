#ifndef STRATA_SERVER_LESSOR_H_
#define STRATA_SERVER_LESSOR_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "base/timing_wheel.h"
#include "base/types.h"
#include "engine/lease_table.h"

namespace strata {

// When leases end, by the leader's clock. The log says which leases there are
// and for how long (engine/lease_table.h); here is the time each has left. Only
// the leader keeps it: a lease whose time has passed is revoked through the
// log, by one entry, many of them under way at a time.
//
// A lease never ends before its time has passed on this clock since it was
// granted, renewed or taken over here, whichever was last. After a restart or
// with a new leader all begin anew, at most with their full time (or what was
// left at their last checkpoint) and a little more.
//
// Thread-safe; replies come from the caller's thread or the loop.
class Lessor {
 public:
  // Proposes the revocation and calls back with its outcome. Called without a
  // lock, on the loop.
  using Revoke = std::function<void(LeaseId, std::function<void(Status)> done)>;

  Lessor(Loop* loop, Revoke revoke);
  ~Lessor();
  Lessor(const Lessor&) = delete;
  Lessor& operator=(const Lessor&) = delete;

  // This member becomes the leader: the clock of all `leases` starts, with
  // `extend` added for the time in which nobody could renew them. And the
  // reverse: nothing ends here any more.
  void Promote(const std::vector<LeaseRecord>& leases, Duration extend);
  void Demote();
  // Nothing is revoked from here on. Waits for what runs on the loop; not on
  // it. What a revocation needs must live until then.
  void Stop();

  // The log has granted or revoked a lease. A revoked one may be unknown.
  void Granted(const LeaseRecord& lease);
  void Revoked(LeaseId id);

  bool leading() const;
  // Gives the lease its full time again; `reply` gets that in seconds, or
  // NotFound, or FailedPrecondition "not leader". For a lease whose time has
  // passed it waits for the revocation, so that whoever is told NotFound finds
  // the keys gone.
  void Renew(LeaseId id, std::function<void(StatusOr<int64_t>)> reply);

  // Not below zero. Nothing for a lease that is not there or has ended.
  std::optional<Duration> Remaining(LeaseId id) const;
  // By the time they end.
  std::vector<LeaseId> List() const;

  struct Counts {
    uint64_t renewed = 0;
    uint64_t expired = 0;
  };
  Counts counts() const;

 private:
  struct Lease : TimingWheel::Timer {
    LeaseId id;
    int64_t ttl_seconds = 0;
    Time due{};
    bool ended = false;
    std::vector<std::function<void(StatusOr<int64_t>)>> waiting;
  };
  // Timers find the lessor through it, or find it gone.
  struct Anchor {
    std::mutex mutex;
    Lessor* lessor;  // guarded by mutex
  };

  void Start(const LeaseRecord& lease, Duration extend);  // REQUIRES: mutex_
  void SetDue(Lease* lease, Duration left);               // REQUIRES: mutex_
  void ScheduleWork();                                    // REQUIRES: mutex_
  void Work();                                            // on the loop
  void StartRevokes();                                    // on the loop
  void EndRevoke(LeaseId id, const Status& status);

  Loop* const loop_;
  const Revoke revoke_;
  const std::shared_ptr<Anchor> anchor_;
  bool starting_ = false;  // bound to loop_: in StartRevokes

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  bool leading_ = false;
  TimingWheel wheel_;
  std::unordered_map<LeaseId, Lease> leases_;  // empty unless leading_
  // To be revoked: as soon as fewer are under way.
  std::deque<LeaseId> ended_;
  int revoking_ = 0;
  Counts counts_;
  std::optional<Time> work_at_;
  Loop::TimerId work_timer_ = 0;
};

}  // namespace strata

#endif  // STRATA_SERVER_LESSOR_H_
