#include <utility>

#include "base/check.h"
#include "raft/raft.h"

// What only a leader does: proposals, commitment, reads, heartbeats, handing
// over. Sending the log is in replication.cc.
namespace strata::raft {

void Raft::TickLeader() {
  Leader* self = leading();
  if (++election_elapsed_ >= options_.election_ticks) {
    election_elapsed_ = 0;
    if (options_.check_quorum && !QuorumActive()) {
      return BecomeFollower(term_, MemberId());
    }
    self->transferee = MemberId();  // it took too long
  }
  if (++self->heartbeat_elapsed >= options_.heartbeat_ticks) {
    self->heartbeat_elapsed = 0;
    SendHeartbeats();
  }
}

// Whether a quorum was heard of since the last time; it begins anew.
bool Raft::QuorumActive() {
  Leader* self = leading();
  const auto active = [&](MemberId voter) -> std::optional<bool> {
    if (voter == options_.id) return true;
    const Peer* peer = self->Find(voter);
    return peer != nullptr && peer->progress.recent_active;
  };
  const bool quorum = configuration_.voters.Result(active) == VoteResult::kWon;
  for (Peer& peer : self->peers) peer.progress.recent_active = false;
  return quorum;
}

// The commit index goes only as far as the member is known to agree with us. A
// round of reads that is not confirmed is asked again.
void Raft::SendHeartbeats() {
  const uint64_t round = leading()->reads.Newest();
  for (const Peer& peer : leading()->peers) {
    LogIndex commit = std::min(peer.progress.match(), log_.committed());
    if (bugs_.heartbeat_commits_all) commit = log_.committed();
    Message heartbeat{
        .type = MessageType::kHeartbeat, .to = peer.id, .commit = commit};
    if (round != 0) heartbeat.context = EncodeRound(round);
    Send(std::move(heartbeat));
  }
}

Status Raft::Propose(std::string data) {
  return ProposeEntry({.data = std::move(data)});
}

Status Raft::ProposeConfChange(const ConfChange& change) {
  return ProposeEntry(
      {.type = EntryType::kConfChange, .data = EncodeConfChange(change)});
}

Status Raft::ProposeConfChange(const ConfChangeV2& change) {
  return ProposeEntry(
      {.type = EntryType::kConfChangeV2, .data = EncodeConfChangeV2(change)});
}

Status Raft::ProposeEntry(Entry entry) {
  if (follower() != nullptr) return Forward(std::move(entry));
  if (!is_leader()) return UnavailableError("raft: no leader");
  RETURN_IF_ERROR(AdmitProposal(EntryBytes(entry)));
  if (entry.type != EntryType::kNormal) {
    RETURN_IF_ERROR(AdmitConfChange(entry));
  }
  AppendAsLeader(std::move(entry));
  return Status::Ok();
}

// One that is larger than the whole bound is let through alone.
Status Raft::AdmitProposal(uint64_t bytes) const {
  const Leader& self = std::get<Leader>(role_);
  if (self.transferee != MemberId() || self.retire_at != LogIndex()) {
    return UnavailableError("raft: the leader is handing over");
  }
  const uint64_t before = self.uncommitted.bytes();
  if (before > 0 && before + bytes > options_.max_uncommitted_bytes) {
    return ResourceExhaustedError("raft: too much is not yet committed");
  }
  return Status::Ok();
}

Status Raft::AdmitConfChange(const Entry& entry) const {
  if (bugs_.overlapping_changes) return Status::Ok();
  ASSIGN_OR_RETURN(const ConfChangeV2 change, DecodeConfChangeEntry(entry));
  if (std::get<Leader>(role_).pending_conf_index > log_.applied()) {
    return FailedPreconditionError(
        "raft: another configuration change is not yet applied");
  }
  if (configuration_.joint() != change.LeavesJoint()) {
    return FailedPreconditionError(
        configuration_.joint() ? "raft: the joint configuration must be left"
                               : "raft: no joint configuration to leave");
  }
  return Status::Ok();
}

void Raft::AppendAsLeader(Entry entry) {
  Leader* self = leading();
  entry.term = term_;
  entry.index = log_.last_index() + 1;
  // An empty entry is not refused, so it does not count either.
  if (!entry.data.empty()) {
    self->uncommitted.Add(entry.index, EntryBytes(entry));
  }
  if (entry.type != EntryType::kNormal) self->pending_conf_index = entry.index;
  log_.Append(std::move(entry));
  if (bugs_.commit_own_unpersisted) MaybeCommit();
}

// From a follower, which waits for what it proposed to be applied. A change
// that cannot be now becomes an empty entry, as in etcd.
Status Raft::HandleProposals(Message message) {
  uint64_t bytes = 0;
  for (const Entry& entry : message.entries) bytes += EntryBytes(entry);
  // It is lost, as any message may be.
  if (!AdmitProposal(bytes).ok()) return Status::Ok();
  for (Entry& entry : message.entries) {
    if (entry.type != EntryType::kNormal && !AdmitConfChange(entry).ok()) {
      entry = Entry{};
    }
    AppendAsLeader(std::move(entry));
  }
  return Status::Ok();
}

LogIndex Raft::MatchOf(MemberId member) const {
  if (member == options_.id) {
    return bugs_.commit_own_unpersisted ? log_.last_index() : log_.stable();
  }
  const Peer* peer = std::get<Leader>(role_).Find(member);
  return peer == nullptr ? LogIndex() : peer->progress.match();
}

// What a quorum has is committed, if it is of our term; what is before it, of
// whatever term, with it (Raft paper, 5.4.2 and figure 8).
bool Raft::MaybeCommit() {
  const auto match = [this](MemberId member) {
    return MatchOf(member).value();
  };
  LogIndex index(configuration_.voters.Value(match));
  if (bugs_.count_incoming_only) {
    index = LogIndex(MajorityValue(configuration_.voters.incoming, match));
  }
  if (bugs_.count_learners) {
    index = LogIndex(MajorityValue(configuration_.Members(), match));
  }
  if (index <= log_.committed() || index > log_.last_index()) return false;
  if (!log_.Matches(index, term_) && !bugs_.commit_old_term) return false;
  log_.CommitTo(index);
  leading()->uncommitted.CommittedTo(index);
  return true;
}

// Before that it does not know how much its predecessors have committed.
bool Raft::CommittedInTerm() const {
  return bugs_.read_before_own_commit || log_.Matches(log_.committed(), term_);
}

void Raft::HandleReadIndex(Message message) {
  if (message.entries.size() != 1) return;
  // With too many waiting it is lost; the reader asks again.
  leading()->reads.Add(message.from, std::move(message.entries[0].data));
}

void Raft::StartReadRound() {
  Leader* self = leading();
  if (!self->reads.CanStart() || !CommittedInTerm()) return;
  self->reads.Start(log_.committed());
  SendHeartbeats();
  ConfirmReads();
}

void Raft::ConfirmReads() {
  Leader* self = leading();
  if (self->reads.Newest() == 0) return;
  const uint64_t round =
      configuration_.voters.Value([&](MemberId voter) -> uint64_t {
        if (voter == options_.id) return self->reads.last();
        const Peer* peer = self->Find(voter);
        return peer == nullptr ? 0 : peer->progress.read_round;
      });
  for (ReadRounds::Request& request : self->reads.Confirm(round)) {
    if (request.from == options_.id) {
      local_reads_.Answer(request.context, request.index, &reads_);
      continue;
    }
    Send({.type = MessageType::kReadIndexResponse,
          .to = request.from,
          .index = request.index,
          .entries = {{.data = std::move(request.context)}}});
  }
}

void Raft::TransferLeadership(MemberId to) {
  if (is_leader()) return HandleTransfer(to);
  if (leader() == MemberId()) return;
  Message request{.type = MessageType::kTransferLeader,
                  .to = leader(),
                  .from = to,
                  .term = term_};
  messages_.push_back(std::move(request));
}

void Raft::HandleTransfer(MemberId to) {
  Leader* self = leading();
  if (self == nullptr || to == options_.id || to == self->transferee) return;
  Peer* peer = self->Find(to);
  if (peer == nullptr || !configuration_.voters.Contains(to)) return;
  // It has one election timeout from now.
  election_elapsed_ = 0;
  self->transferee = to;
  peer->progress.must_send = true;
  FinishTransfer(peer);
}

void Raft::FinishTransfer(Peer* peer) {
  if (leading()->transferee != peer->id) return;
  if (peer->progress.match() != log_.last_index()) return;
  Send({.type = MessageType::kTimeoutNow, .to = peer->id});
}

}  // namespace strata::raft
