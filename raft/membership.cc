#include <algorithm>
#include <utility>

#include "raft/raft.h"

// Who takes part: thesis chapter 4, with etcd's rule that a change takes effect
// when it is applied.
namespace strata::raft {

StatusOr<ConfState> Raft::ApplyConfChange(const ConfChangeV2& change) {
  ASSIGN_OR_RETURN(Configuration next, ChangedBy(configuration_, change));
  SwitchTo(std::move(next));
  return configuration_.ToConfState();
}

Progress Raft::NewProgress() const {
  Progress progress(log_.last_index(), options_.max_inflight_appends,
                    options_.max_inflight_bytes);
  // Else check-quorum could count it as silent before it could speak.
  progress.recent_active = true;
  return progress;
}

void Raft::UpdatePeers(Leader* leader) {
  std::vector<Peer> peers;
  for (MemberId member : configuration_.Members()) {
    if (member == options_.id) continue;
    Peer* known = leader->Find(member);
    peers.push_back(known != nullptr
                        ? std::move(*known)
                        : Peer{.id = member, .progress = NewProgress()});
  }
  leader->peers = std::move(peers);
}

void Raft::SwitchTo(Configuration configuration) {
  configuration_ = std::move(configuration);
  Leader* self = leading();
  if (self == nullptr) return;
  UpdatePeers(self);
  if (!configuration_.voters.Contains(self->transferee)) {
    self->transferee = MemberId();
  }
  // A smaller quorum may have what a larger one had not.
  MaybeCommit();
  ConfirmReads();
  if (!configuration_.voters.Contains(options_.id)) BeginRetirement();
}

// A leader that was removed, or has no vote any more, must not go at once. The
// others may not know that the change is committed; then they go on with the
// members from before, might need our vote, and it might not be theirs to have:
// our log may be longer. So we lead on, without a vote of our own and without
// proposals, until the new members have committed one more entry: who has it on
// disk has on disk, too, that the change is committed.
void Raft::BeginRetirement() {
  Leader* self = leading();
  if (self->retire_at != LogIndex()) return;
  AppendAsLeader(Entry{});
  self->retire_at = log_.last_index();
}

void Raft::MaybeRetire() {
  const Leader* self = leading();
  if (self == nullptr || self->retire_at == LogIndex() ||
      log_.committed() < self->retire_at) {
    return;
  }
  // One who has all may begin at once.
  for (const Peer& peer : self->peers) {
    if (!configuration_.voters.Contains(peer.id) ||
        peer.progress.match() != log_.last_index()) {
      continue;
    }
    Send({.type = MessageType::kTimeoutNow, .to = peer.id});
    break;
  }
  BecomeFollower(term_, MemberId());
}

void Raft::Applied(LogIndex index) {
  log_.AppliedTo(index);
  while (!restored_members_.empty() &&
         restored_members_.front().first <= index) {
    if (!bugs_.snapshot_keeps_members) {
      SwitchTo(std::move(restored_members_.front().second));
    }
    restored_members_.pop_front();
  }
  MaybeLeaveJoint();
}

void Raft::MaybeLeaveJoint() {
  const Leader* self = leading();
  if (self == nullptr || !configuration_.joint() ||
      !configuration_.auto_leave || self->pending_conf_index > log_.applied()) {
    return;
  }
  // No data is an empty ConfChangeV2. It is appended even while handing over:
  // if it were not, nobody would try again.
  AppendAsLeader({.type = EntryType::kConfChangeV2});
}

}  // namespace strata::raft
