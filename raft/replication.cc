#include <utility>

#include "base/check.h"
#include "raft/raft.h"

// How a leader brings its log to the others: thesis 3.5, flow control by
// progress.h. Appends are made when an output is taken, so that all that was
// proposed since the last one goes as one.
namespace strata::raft {

void Raft::SendAppends() {
  for (Peer& peer : leading()->peers) {
    Progress& progress = peer.progress;
    while (!progress.Paused() &&
           (progress.must_send || progress.next() <= log_.last_index() ||
            progress.sent_commit < log_.committed())) {
      if (!SendAppend(&peer)) break;
    }
  }
}

// False if nothing could be sent.
bool Raft::SendAppend(Peer* peer) {
  Progress& progress = peer->progress;
  const LogIndex before = progress.next() - 1;
  const std::optional<Term> term = log_.TermAt(before);
  if (!term.has_value()) return SendSnapshot(peer);
  Message append{.type = MessageType::kAppend,
                 .to = peer->id,
                 .log_term = *term,
                 .index = before,
                 .commit = log_.committed()};
  const Status read = log_.Read(progress.next(), log_.last_index() + 1,
                                options_.max_append_bytes, &append.entries);
  if (read.code() == Code::kOutOfRange) return SendSnapshot(peer);
  if (!read.ok()) return false;
  uint64_t bytes = 0;
  for (const Entry& entry : append.entries) bytes += EntryBytes(entry);
  progress.sent_commit = log_.committed();
  progress.Sent(before + append.entries.size(), bytes, !append.entries.empty());
  Send(std::move(append));
  return true;
}

// To a member that lives; another would only keep us from probing.
bool Raft::SendSnapshot(Peer* peer) {
  if (!peer->progress.recent_active) return false;
  SnapshotMetadata newest = storage_->NewestSnapshot();
  if (newest.index == LogIndex()) return false;
  peer->progress.BecomeSnapshot(newest.index);
  Send({.type = MessageType::kSnapshot,
        .to = peer->id,
        .snapshot = Snapshot{.metadata = std::move(newest)}});
  return true;
}

void Raft::HandleAppendResponse(const Message& message) {
  Leader* self = leading();
  if (self == nullptr) return;
  Peer* peer = self->Find(message.from);
  if (peer == nullptr) return;
  peer->progress.recent_active = true;
  if (message.reject) {
    HandleRefused(peer, message);
  } else if (message.index <= log_.last_index()) {
    HandleAccepted(peer, message.index);
  }
}

// The member's entry at its hint is of log_term (0: it did not say, as etcd 3.4
// does not). Where our log has a higher term it cannot agree.
void Raft::HandleRefused(Peer* peer, const Message& message) {
  LogIndex hint = message.reject_hint;
  if (message.log_term > Term()) {
    hint = log_.GreatestAtMost(hint, message.log_term);
  }
  peer->progress.Rejected(message.index, hint);
}

void Raft::HandleAccepted(Peer* peer, LogIndex index) {
  Progress& progress = peer->progress;
  const bool news = progress.Accepted(index);
  const bool probed =
      progress.state() == ProgressState::kProbe && index == progress.match();
  const bool restored = progress.state() == ProgressState::kSnapshot && news &&
                        index >= progress.pending_snapshot();
  if (probed || restored) progress.BecomeReplicate();
  if (!news) return;
  MaybeCommit();
  FinishTransfer(peer);
}

void Raft::HandleHeartbeatResponse(const Message& message) {
  Leader* self = leading();
  if (self == nullptr) return;
  Peer* peer = self->Find(message.from);
  if (peer == nullptr) return;
  Progress& progress = peer->progress;
  progress.recent_active = true;
  progress.HeartbeatAnswered();
  // It lives but has not all: something may have been lost on the way.
  if (progress.match() < log_.last_index()) progress.must_send = true;
  uint64_t round = DecodeRound(message.context);
  if (bugs_.any_read_round) round = self->reads.last();
  if (round > progress.read_round && round <= self->reads.last()) {
    progress.read_round = round;
    ConfirmReads();
  }
}

void Raft::ReportUnreachable(MemberId member) {
  Leader* self = leading();
  Peer* peer = self == nullptr ? nullptr : self->Find(member);
  if (peer != nullptr && peer->progress.state() == ProgressState::kReplicate) {
    peer->progress.BecomeProbe();
  }
}

void Raft::ReportSnapshot(MemberId member, bool ok) {
  Leader* self = leading();
  Peer* peer = self == nullptr ? nullptr : self->Find(member);
  if (peer == nullptr || peer->progress.state() != ProgressState::kSnapshot) {
    return;
  }
  peer->progress.SnapshotReported(ok);
}

}  // namespace strata::raft
