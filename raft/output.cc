#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/raft.h"

// The door to the shell: what leaves, and what waits for the disk.
namespace strata::raft {

bool Output::empty() const {
  return sequence == OutputSequence() && messages.empty() &&
         committed.empty() && reads.empty() && lost_reads.empty() &&
         !soft_state.has_value();
}

void Output::Clear() {
  sequence = OutputSequence();
  must_sync = false;
  snapshot.reset();
  hard_state.reset();
  entries.clear();
  messages.clear();
  committed.clear();
  reads.clear();
  lost_reads.clear();
  soft_state.reset();
}

Status Raft::ReadIndex(ReadId id) {
  if (!local_reads_.Add(id)) {
    return ResourceExhaustedError("raft: too many reads wait");
  }
  return Status::Ok();
}

// Asks the leader, ourselves or another, for what came since the last output.
void Raft::FlushReads() {
  const MemberId to = leader();
  if (to == MemberId() || !local_reads_.HasUnasked()) return;
  local_reads_.TakeUnasked(&read_contexts_);
  for (std::string& context : read_contexts_) {
    if (is_leader()) {
      leading()->reads.Add(options_.id, std::move(context));
      continue;
    }
    messages_.push_back({.type = MessageType::kReadIndex,
                         .to = to,
                         .from = options_.id,
                         .entries = {{.data = std::move(context)}}});
  }
  read_contexts_.clear();
}

void Raft::TakeOutput(Output* output) {
  output->Clear();
  FlushReads();
  if (is_leader()) {
    StartReadRound();
    SendAppends();
  }
  MaybeRetire();
  TakeDurable(output);
  // What was held since the last output waits for this one if it has to be
  // synced, else for the last that had.
  for (auto at = held_.rbegin();
       at != held_.rend() && !at->sequence.has_value(); ++at) {
    at->sequence = last_sync_sequence_;
  }
  ReleaseHeld(persisted_);
  std::swap(output->messages, messages_);
  std::swap(output->reads, reads_);
  std::swap(output->lost_reads, lost_reads_);
  log_.TakeCommitted(
      options_.apply_unpersisted ? log_.committed() : log_.stable(),
      options_.max_applying_bytes, &output->committed);
  const SoftState soft{.role = role_name(), .leader = leader(), .term = term_};
  if (soft != given_soft_state_) output->soft_state = given_soft_state_ = soft;
}

void Raft::TakeDurable(Output* output) {
  output->snapshot = log_.TakeSnapshot();
  log_.TakeEntries(&output->entries);
  HardState state{.term = term_, .vote = vote_, .commit = log_.committed()};
  if (bugs_.forget_vote) state.vote = MemberId();
  if (state != given_hard_state_) output->hard_state = state;
  const bool promised = state.term != given_hard_state_.term ||
                        state.vote != given_hard_state_.vote;
  given_hard_state_ = state;
  output->must_sync =
      promised || output->snapshot.has_value() || !output->entries.empty();
  if (!output->must_sync && !output->hard_state.has_value()) return;
  output->sequence = ++last_sequence_;
  if (!output->must_sync) return;
  last_sync_sequence_ = last_sequence_;
  in_flight_.push_back({.sequence = last_sequence_,
                        .last = log_.last_index(),
                        .last_term = log_.LastTerm(),
                        .term = term_,
                        .snapshot = output->snapshot
                                        ? output->snapshot->metadata.index
                                        : LogIndex()});
}

void Raft::Persisted(OutputSequence sequence) {
  CHECK_LE(sequence, last_sequence_);
  persisted_ = std::max(persisted_, sequence);
  while (!in_flight_.empty() && in_flight_.front().sequence <= persisted_) {
    const InFlight& done = in_flight_.front();
    log_.SnapshotPersisted(done.snapshot);
    // What was written in an earlier term may have been replaced since and have
    // come back: then the disk is to write it once more. An output of this term
    // follows, as it has to be remembered, and covers all that is still there.
    if (done.term == term_ || bugs_.persist_replaced) {
      log_.Persisted(done.last, done.last_term);
    }
    durable_term_ = done.term;
    in_flight_.pop_front();
  }
  ReleaseHeld(persisted_);
  if (is_leader()) MaybeCommit();
}

// A promise made in an earlier term is not kept any more: an acknowledgement
// may be of entries that a newer leader has replaced since.
void Raft::ReleaseHeld(OutputSequence persisted) {
  while (!held_.empty() && held_.front().sequence.has_value() &&
         *held_.front().sequence <= persisted) {
    Message message = std::move(held_.front().message);
    held_.pop_front();
    if (message.term < term_) continue;
    if (message.to == options_.id) {
      CHECK_OK(Step(std::move(message)));
    } else {
      messages_.push_back(std::move(message));
    }
  }
}

}  // namespace strata::raft
