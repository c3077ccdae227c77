#include "server/snapshot_offers.h"

#include <algorithm>

namespace strata {

void SnapshotOffers::Failed(MemberId member, Time now) {
  Pause& pause = pauses_[member];
  pause.length = std::clamp(2 * pause.length, kFirstPause, kLongestPause);
  pause.until = now + pause.length;
}

void SnapshotOffers::Begun(MemberId member) {
  const auto at = pauses_.find(member);
  if (at != pauses_.end()) at->second.until.reset();
}

void SnapshotOffers::Forget(const std::function<bool(MemberId)>& takes) {
  std::erase_if(pauses_, [&](const auto& one) { return takes(one.first); });
}

std::vector<MemberId> SnapshotOffers::TakeDue(Time now) {
  std::vector<MemberId> due;
  for (auto& [member, pause] : pauses_) {
    if (!pause.until || now < *pause.until) continue;
    pause.until.reset();
    due.push_back(member);
  }
  return due;
}

}  // namespace strata
