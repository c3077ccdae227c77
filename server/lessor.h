#ifndef STRATA_SERVER_LESSOR_H_
#define STRATA_SERVER_LESSOR_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
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
// With checkpoints, the log is told every five minutes how much a lease that
// lasts longer has left: so a lease that nobody renews ends however often the
// leader changes. The next renewal takes that back, through the log too, before
// its client hears of it.
//
// Thread-safe; replies come from the caller's thread or the loop.
class Lessor {
 public:
  // Proposes the revocation and calls back with its outcome. Called without a
  // lock, on the loop.
  using Revoke = std::function<void(LeaseId, std::function<void(Status)> done)>;
  // Proposes what leases have left, in seconds (0: all of their time again),
  // and calls back. Called without a lock, on the loop or by who renews.
  using LeftOf = std::vector<std::pair<LeaseId, int64_t>>;
  using Checkpoint =
      std::function<void(const LeftOf&, std::function<void(Status)> done)>;

  static constexpr Duration kCheckpointInterval = std::chrono::minutes(5);

  // Without `checkpoint` none are made.
  Lessor(Loop* loop, Revoke revoke, Checkpoint checkpoint = nullptr);
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
  // It has recorded what is left of it, or (0) that it has all of its time.
  void Checkpointed(LeaseId id, int64_t remaining_seconds);

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
    bool checkpointed = false;   // the log may know less time than it has
    bool checkpointing = false;  // an entry that says so is under way
    Time checkpoint_at{};        // in checkpoints_; zero: it is not
    std::vector<std::function<void(StatusOr<int64_t>)>> waiting;
  };
  // Timers find the lessor through it, or find it gone.
  struct Anchor {
    std::mutex mutex;
    Lessor* lessor;  // guarded by mutex
  };

  void Start(const LeaseRecord& lease, Duration extend);  // REQUIRES: mutex_
  void SetDue(Lease* lease, Duration left);               // REQUIRES: mutex_
  void SetCheckpoint(Lease* lease, Duration after);       // REQUIRES: mutex_
  void ClearCheckpoint(Lease* lease);                     // REQUIRES: mutex_
  std::optional<Time> NextWork() const;                   // REQUIRES: mutex_
  void ScheduleWork();                                    // REQUIRES: mutex_
  void Work();                                            // on the loop
  void StartRevokes();                                    // on the loop
  void EndRevoke(LeaseId id, const Status& status);
  LeftOf TakeDueCheckpoints();  // REQUIRES: mutex_
  void StartCheckpoint();       // on the loop
  void EndCheckpoint(const LeftOf& leases, const Status& status);
  // `cleared`: the log has been told that the lease has all of its time.
  void Renew(LeaseId id, bool cleared,
             std::function<void(StatusOr<int64_t>)> reply);
  // Tells the log, and then renews.
  void Clear(LeaseId id, std::function<void(StatusOr<int64_t>)> reply);

  Loop* const loop_;
  const Revoke revoke_;
  const Checkpoint checkpoint_;
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
  // When the log is to be told of which. One batch is under way at a time.
  std::set<std::pair<Time, LeaseId>> checkpoints_;
  bool checkpointing_ = false;
  Counts counts_;
  std::optional<Time> work_at_;
  Loop::TimerId work_timer_ = 0;
};

}  // namespace strata

#endif  // STRATA_SERVER_LESSOR_H_
