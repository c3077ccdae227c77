#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "server/errors.h"
#include "server/raft_replicator.h"

// What goes out: docs/raft.md, "How the shell drives it".
namespace strata {
namespace {

// They take about as long to apply as another thread to wake.
constexpr size_t kManyEntries = 8;
// Of the log, at once; to free them takes time.
constexpr uint64_t kReleasedEntries = 1024;

}  // namespace

void RaftReplicator::Pump() {
  // What is replied to may propose, and so come here again.
  if (pumping_ || failed_ || stopping_) return;
  pumping_ = true;
  for (;;) {
    raft_.TakeOutput(&output_);
    if (output_.empty()) break;
    HandleOutput(&output_);
    if (failed_) break;
  }
  pumping_ = false;
  Publish();
}

void RaftReplicator::HandleOutput(raft::Output* output) {
  if (output->soft_state) HandleSoftState(*output->soft_state);
  const bool answers_first = AnswersFirst(*output);
  if (!answers_first) SendMessages(&output->messages);
  if (options_.bugs.members_at_append) SwitchMembers(output->entries);
  if (output->sequence != raft::OutputSequence()) Persist(output);
  if (!output->committed.empty()) ApplyOrKeep(output);
  if (answers_first) SendMessages(&output->messages);
  for (const raft::SafeRead& read : output->reads) {
    safe_reads_.emplace(
        options_.bugs.read_before_applied ? LogIndex() : read.index, read.id);
  }
  for (const raft::ReadId id : output->lost_reads) {
    const auto at = reads_.find(id);
    if (at == reads_.end()) continue;
    const auto done = std::move(at->second.done);
    reads_.erase(at);
    done(errors::TimedOut());
  }
  AnswerReads();
}

// A leader's clients wait for what is committed, if it is little; that the
// others hear of it can wait. Not what they, or our disk, have to write.
bool RaftReplicator::AnswersFirst(const raft::Output& output) const {
  return raft_.is_leader() && !output.must_sync && !output.committed.empty() &&
         output.committed.size() < kManyEntries;
}

// Nobody waits for it at a follower but the log, whose thread may be this one.
void RaftReplicator::ApplyOrKeep(raft::Output* output) {
  const bool later = !raft_.is_leader() && output->must_sync &&
                     output->committed.size() >= kManyEntries;
  if (!later && to_apply_.empty() && machine_->HasRoom()) {
    return ApplyEntries(&output->committed);
  }
  to_apply_.push_back({.snapshot = std::nullopt,
                       .sequence = {},
                       .entries = std::move(output->committed)});
  if (later) world_.loop->Post([this] { CatchUp(); });
}

void RaftReplicator::CatchUp() {
  if (failed_ || stopping_) return;
  ApplyReady();
  AnswerReads();
  Pump();
}

void RaftReplicator::HandleSoftState(const raft::SoftState& now) {
  const bool had_leader = soft_state_.leader != MemberId();
  if (had_leader && soft_state_.leader != now.leader) {
    leader_lost_at_ = world_.loop->Now();
  }
  soft_state_ = now;
  // Those of another reign.
  snapshot_offers_.Clear();
  log_holds_.Clear();
  Publish();
  world_.logger->Info("leadership",
                      {{"member-id", HexId(options_.self.value())},
                       {"role", std::string(raft::ToString(now.role))},
                       {"term", now.term.value()},
                       {"leader", HexId(now.leader.value())}});
  machine_->LeaderChanged(now);
  CheckTransfer();
  if (options_.bugs.propose_again && now.leader != MemberId()) {
    for (const auto& [id, waiting] : waiting_) parked_.push_back(id);
  }
  // They may go now; not in the middle of an output.
  if (now.leader != MemberId() && !parked_.empty()) {
    RunOnLoop([this] { SubmitParked(); });
  }
}

void RaftReplicator::SendMessages(std::vector<raft::Message>* messages) {
  std::vector<raft::Message> plain;
  plain.reserve(messages->size());
  for (raft::Message& message : *messages) {
    if (message.type == raft::MessageType::kSnapshot) {
      SendSnapshot(std::move(message));
    } else {
      plain.push_back(std::move(message));
    }
  }
  if (!plain.empty()) world_.transport->Send(std::move(plain));
}

void RaftReplicator::SendSnapshot(raft::Message message) {
  const MemberId to = message.to;
  const Term term = message.term;
  snapshot_offers_.Begun(to);
  // Nothing newer can be said to be whole while one is being installed.
  if (installing_) return SnapshotFailed(to);
  machine_->MakeSnapshot(std::move(message),
                         [this, to, term](StatusOr<OutgoingSnapshot> snapshot) {
                           HandSnapshot(to, term, std::move(snapshot));
                         });
}

// Making one takes its time: nobody takes, or waits for, that of another reign.
void RaftReplicator::HandSnapshot(MemberId to, Term term,
                                  StatusOr<OutgoingSnapshot> snapshot) {
  if (stopping_ || failed_ || !LeadsIn(term)) return;
  if (!snapshot.ok()) {
    world_.logger->Warn("could not make a snapshot to send",
                        {{"error", snapshot.status()}});
    return SnapshotFailed(to);
  }
  const LogIndex index = snapshot->message.snapshot->metadata.index;
  snapshot->hurry = log_holds_.WasSent(to);
  log_holds_.Sending(to, index);
  snapshot->done = [this, to, term](bool ok) {
    RunOnLoop([this, to, term, ok] { SnapshotSent(to, term, ok); });
  };
  world_.logger->Info("sending a snapshot",
                      {{"to", HexId(to.value())}, {"index", index.value()}});
  world_.transport->SendSnapshot(std::move(*snapshot));
}

void RaftReplicator::SnapshotSent(MemberId to, Term term, bool ok) {
  if (!LeadsIn(term)) return;
  if (!ok) return SnapshotFailed(to);
  log_holds_.Sent(to, world_.loop->Now());
  snapshot_offers_.Forget([to](MemberId member) { return member == to; });
  raft_.ReportSnapshot(to, true);
}

void RaftReplicator::SnapshotFailed(MemberId to) {
  log_holds_.Failed(to);
  snapshot_offers_.Failed(to, world_.loop->Now());
}

// Raft offers the next one as soon as it hears of it.
void RaftReplicator::ReportFailedSnapshots() {
  if (snapshot_offers_.empty() || !raft_.is_leader()) return;
  const raft::Leader& leader = std::get<raft::Leader>(raft_.role());
  snapshot_offers_.Forget([&leader](MemberId member) {
    const raft::Peer* const peer = leader.Find(member);
    return peer == nullptr ||
           peer->progress.state() == raft::ProgressState::kReplicate;
  });
  for (const MemberId member : snapshot_offers_.TakeDue(world_.loop->Now())) {
    raft_.ReportSnapshot(member, false);
  }
}

void RaftReplicator::Persist(raft::Output* output) {
  LogBatch batch(*output);
  if (output->snapshot) {
    const raft::SnapshotMetadata& metadata = output->snapshot->metadata;
    log_.Restart(metadata.index, metadata.term);
    to_apply_.push_back({.snapshot = std::move(output->snapshot),
                         .sequence = output->sequence,
                         .entries = {}});
  }
  log_.Append(std::move(output->entries));
  writer_->Write(std::move(batch));
  if (options_.bugs.install_before_log) ApplyReady();
}

void RaftReplicator::OnPersisted(raft::OutputSequence sequence) {
  if (failed_ || stopping_) return;
  persisted_ = std::max(persisted_, sequence);
  raft_.Persisted(sequence);
  if (raft_.is_leader()) {
    persisted_at_ = world_.loop->Now();
    persisted_last_ = last_index();
  } else {
    Pump();  // the acknowledgement goes before what is to be applied
  }
  ApplyReady();
}

void RaftReplicator::ApplyReady() {
  while (!to_apply_.empty() && !installing_) {
    ToApply& work = to_apply_.front();
    if (work.snapshot) {
      if (work.sequence > persisted_ && !options_.bugs.install_before_log) {
        return;
      }
      return Install(work);
    }
    if (!machine_->HasRoom()) return;
    std::vector<raft::Entry> entries = std::move(work.entries);
    to_apply_.pop_front();
    ApplyEntries(&entries);
  }
}

// The loop goes on meanwhile: this member votes and answers heartbeats.
void RaftReplicator::Install(const ToApply& work) {
  installing_ = true;
  const LogIndex index = work.snapshot->metadata.index;
  machine_->InstallSnapshot(*work.snapshot, [this, index](const Status& done) {
    installing_ = false;
    if (!done.ok()) return Fail(done);
    to_apply_.pop_front();
    applied_ = index;
    raft_.Applied(index);
    ApplyReady();
    AnswerReads();
    Pump();
  });
}

// The proposal that an entry comes from, if that was logged here.
std::unique_ptr<Proposal> RaftReplicator::TakeOwn(const raft::Entry& entry) {
  while (!own_.empty() && own_.front().index < entry.index) own_.pop_front();
  if (own_.empty() || own_.front().index != entry.index) return nullptr;
  const Own own = own_.front();
  own_.pop_front();
  const auto at = waiting_.find(own.id);
  if (at == waiting_.end() || at->second.proposal->conf_change) return nullptr;
  if (own.term != entry.term) {
    // Another leader's entry has its place: it will never be.
    Reply(own.id, errors::TimedOutLeaderFailed());
    return nullptr;
  }
  std::unique_ptr<Proposal> proposal = std::move(at->second.proposal);
  waiting_.erase(at);
  return proposal;
}

void RaftReplicator::ApplyEntries(std::vector<raft::Entry>* entries) {
  for (const raft::Entry& entry : *entries) {
    std::unique_ptr<Proposal> own = TakeOwn(entry);
    if (entry.type != raft::EntryType::kNormal) {
      ApplyBatch();
      ApplyConfChange(entry);
      continue;
    }
    batch_.push_back({.index = entry.index,
                      .term = entry.term,
                      .entry = own == nullptr ? &entry : nullptr,
                      .proposal = own.get()});
    if (own != nullptr) batch_proposals_.push_back(std::move(own));
  }
  const LogIndex last = entries->back().index;
  ApplyBatch();
  if (failed_) return;
  applied_ = last;
  raft_.Applied(last);
  ReleaseLog();
}

void RaftReplicator::ApplyBatch() {
  if (!batch_.empty() && !failed_) machine_->Apply(batch_);
  batch_.clear();
  const std::lock_guard lock(mutex_);
  in_flight_ -= batch_proposals_.size();
  batch_proposals_.clear();
}

void RaftReplicator::ApplyConfChange(const raft::Entry& entry) {
  if (failed_) return;
  Status admitted = machine_->CheckConfChange(entry);
  if (admitted.ok()) {
    const auto change = raft::DecodeConfChangeEntry(entry);
    if (!change.ok()) return Fail(change.status());
    if (!options_.bugs.conf_change_not_applied) {
      admitted = raft_.ApplyConfChange(*change).status();
    }
  }
  machine_->ApplyConfChange(entry, admitted);
}

// A planted mistake.
void RaftReplicator::SwitchMembers(const std::vector<raft::Entry>& appended) {
  for (const raft::Entry& entry : appended) {
    if (entry.type == raft::EntryType::kNormal) continue;
    const auto change = raft::DecodeConfChangeEntry(entry);
    if (change.ok()) static_cast<void>(raft_.ApplyConfChange(*change));
  }
}

void RaftReplicator::AnswerReads() {
  if (installing_) return;
  while (!safe_reads_.empty() && safe_reads_.begin()->first <= applied_) {
    const raft::ReadId id = safe_reads_.begin()->second;
    safe_reads_.erase(safe_reads_.begin());
    const auto at = reads_.find(id);
    if (at == reads_.end()) continue;  // given up
    const auto done = std::move(at->second.done);
    reads_.erase(at);
    done(Status::Ok());
  }
}

void RaftReplicator::SnapshotTaken(const WalSnapshot& snapshot,
                                   LogIndex release,
                                   std::function<void(const Status&)> done) {
  releasable_ = std::max(releasable_, release);
  ReleaseLog();
  writer_->SnapshotTaken(snapshot, release, options_.max_wals, std::move(done));
}

void RaftReplicator::ReleaseLog() {
  log_.Bound(applied_);
  if (releasable_ < log_.FirstIndex()) return;
  log_.ReleaseTo(std::min(log_holds_.Limit(releasable_, world_.loop->Now()),
                          log_.FirstIndex() + kReleasedEntries));
}

void RaftReplicator::Publish() {
  seen_term_.store(raft_.term().value(), std::memory_order_release);
  seen_leader_.store(raft_.leader().value(), std::memory_order_release);
  seen_last_.store(last_index().value(), std::memory_order_release);
  seen_committed_.store(raft_.log().committed().value(),
                        std::memory_order_release);
}

void RaftReplicator::Fail(const Status& status) {
  if (std::exchange(failed_, true)) return;
  machine_->Fail(status);
  while (!waiting_.empty()) Reply(waiting_.begin()->first, status);
  TakeProposals();
}

}  // namespace strata
