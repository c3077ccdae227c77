#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "raft/raft.h"

// What a member does when it hears from a leader.
namespace strata::raft {

Status Raft::HearLeader(Message message) {
  if (is_leader()) {
    return InvalidArgumentError("raft: " + HexId(message.from.value()) +
                                " also leads in our term");
  }
  // A candidate has lost; a follower may have learned its leader.
  if (follower() == nullptr || follower()->leader != message.from) {
    BecomeFollower(term_, message.from);
  }
  election_elapsed_ = 0;
  if (message.type == MessageType::kAppend) {
    return HandleAppend(std::move(message));
  }
  if (message.type == MessageType::kHeartbeat) return HandleHeartbeat(message);
  HandleSnapshot(std::move(message));
  return Status::Ok();
}

Status Raft::HandleAppend(Message message) {
  if (message.index <= log_.committed() &&
      log_.TermAt(message.index).value_or(message.log_term) !=
          message.log_term) {
    return DataLossError("raft: the leader's entry " +
                         std::to_string(message.index.value()) +
                         " is not the one that was committed here");
  }
  if (message.index < log_.committed()) {
    SendAccepted(log_.committed());
    return Status::Ok();
  }
  if (!log_.Matches(message.index, message.log_term)) {
    SendRefusal(message);
    return Status::Ok();
  }
  const LogIndex last = message.index + message.entries.size();
  RETURN_IF_ERROR(log_.Merge(std::move(message.entries)));
  log_.CommitTo(std::min(message.commit, last));
  SendAccepted(last);
  return Status::Ok();
}

// It says up to `index` this member has, durably, what the leader of this term
// has. When that is so already, nothing is to be waited for.
void Raft::SendAccepted(LogIndex index) {
  Message answer{
      .type = MessageType::kAppendResponse, .to = leader(), .index = index};
  if (index <= log_.stable() && durable_term_ == term_ && !log_.restoring()) {
    Send(std::move(answer));
  } else {
    SendWhenDurable(std::move(answer));
  }
}

// The hint skips what cannot match: our newest entry whose term is not above
// the one that the leader has before its entries. Its term lets the leader skip
// its own in the same way. etcd 3.4 reads the index only.
void Raft::SendRefusal(const Message& message) {
  const LogIndex hint = log_.GreatestAtMost(message.index, message.log_term);
  Send({.type = MessageType::kAppendResponse,
        .to = message.from,
        .log_term = log_.TermAt(hint).value_or(Term()),
        .index = message.index,
        .reject = true,
        .reject_hint = hint});
}

Status Raft::HandleHeartbeat(const Message& message) {
  if (message.commit > log_.last_index()) {
    return DataLossError("raft: the leader knows entries of this log up to " +
                         std::to_string(message.commit.value()) +
                         ", it ends at " +
                         std::to_string(log_.last_index().value()));
  }
  log_.CommitTo(message.commit);
  Send({.type = MessageType::kHeartbeatResponse,
        .to = message.from,
        .context = message.context});
  return Status::Ok();
}

void Raft::HandleSnapshot(Message message) {
  if (Restore(&*message.snapshot)) {
    SendAccepted(log_.last_index());
  } else {
    SendAccepted(log_.committed());
  }
}

// False if it is not needed: what it stands for is committed here, or only that
// is news.
bool Raft::Restore(Snapshot* snapshot) {
  const SnapshotMetadata& metadata = snapshot->metadata;
  if (metadata.index <= log_.committed()) return false;
  if (log_.Matches(metadata.index, metadata.term)) {
    log_.CommitTo(metadata.index);
    return false;
  }
  const Configuration restored = Configuration::From(metadata.conf_state);
  // Not for us: we would be no member of it.
  if (!restored.Contains(options_.id)) return false;
  // Its members take effect when it is applied: entries before it, changes
  // among them, may still be on their way to be applied.
  restored_members_.push_back({metadata.index, restored});
  log_.Restore(std::move(*snapshot));
  return true;
}

// Proposals that follow each other share a message.
Status Raft::Forward(Entry entry) {
  const MemberId to = leader();
  if (to == MemberId()) return UnavailableError("raft: no leader");
  if (options_.disable_proposal_forwarding) {
    return UnavailableError("raft: not the leader");
  }
  const uint64_t bytes = EntryBytes(entry);
  if (!messages_.empty() && messages_.back().to == to &&
      messages_.back().from == options_.id &&
      messages_.back().type == MessageType::kPropose &&
      forwarded_bytes_ + bytes <= options_.max_append_bytes) {
    forwarded_bytes_ += bytes;
  } else {
    messages_.push_back(
        {.type = MessageType::kPropose, .to = to, .from = options_.id});
    forwarded_bytes_ = bytes;
  }
  messages_.back().entries.push_back(std::move(entry));
  return Status::Ok();
}

void Raft::HandleReadIndexResponse(const Message& message) {
  if (message.entries.size() != 1) return;
  local_reads_.Answer(message.entries[0].data, message.index, &reads_);
}

}  // namespace strata::raft
