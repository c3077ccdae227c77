#ifndef STRATA_SERVER_SNAPSHOT_OFFERS_H_
#define STRATA_SERVER_SNAPSHOT_OFFERS_H_

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/loop.h"
#include "base/types.h"

namespace strata {

// When a leader offers its snapshot again to a member that could not take the
// last one, because its disk is full, say: after 100 ms, then after twice as
// long each time, up to 5 s. Each offer costs a flush of the store and as many
// bytes as the store has. Remembers only members that have failed and not yet
// been forgotten. A value without a clock of its own.
class SnapshotOffers {
 public:
  static constexpr Duration kFirstPause = std::chrono::milliseconds(100);
  static constexpr Duration kLongestPause = std::chrono::seconds(5);

  // The offer to `member` has come to nothing; TakeDue will name it.
  void Failed(MemberId member, Time now);
  // A new one is on its way: how the last one ended is of no interest any more.
  void Begun(MemberId member);
  // Those for whom `takes` is true: their next failure is a first one.
  void Forget(const std::function<bool(MemberId)>& takes);
  void Clear() { pauses_.clear(); }
  bool empty() const { return pauses_.empty(); }

  // Whose pause is over; each failure is named once.
  std::vector<MemberId> TakeDue(Time now);

 private:
  struct Pause {
    Duration length = Duration::zero();
    std::optional<Time> until = std::nullopt;
  };
  std::map<MemberId, Pause> pauses_;
};

}  // namespace strata

#endif  // STRATA_SERVER_SNAPSHOT_OFFERS_H_
