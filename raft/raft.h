#ifndef STRATA_RAFT_RAFT_H_
#define STRATA_RAFT_RAFT_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "base/types.h"
#include "raft/configuration.h"
#include "raft/log.h"
#include "raft/log_storage.h"
#include "raft/message.h"
#include "raft/options.h"
#include "raft/role.h"
#include "raft/types.h"

namespace strata::raft {

// One member of a replicated log: Raft (Ongaro and Ousterhout 2014; Ongaro's
// thesis), speaking etcd's messages to members of etcd 3.4 and later.
//
// It decides and does nothing else: no I/O, no clock, no thread, no chance but
// from a seed. Its caller, the shell, puts in what happens and takes out what
// is to be done:
//
//   raft.Tick(); raft.Step(message); raft.Propose(data); ...   // what happened
//   raft.TakeOutput(&output);                                  // what to do
//   send(output.messages);                      // now, before the disk
//   write(output.snapshot, output.hard_state, output.entries);
//   ...sync...  raft.Persisted(output.sequence);               // later
//   ...apply(output.committed)...  raft.Applied(index);        // later
//
// - Everything in `messages` may be sent at once. What promises something that
//   is not yet durable (a vote, a request for votes, the acknowledgement of
//   entries) is held back in here until Persisted() covers it, and thrown away
//   if the term has changed by then. A leader's appends promise nothing: they
//   go out before its own disk has them.
// - Outputs are persisted in order; any number may be in flight. Persisted()
//   covers all outputs up to its sequence. Entries that a later output replaced
//   before they were durable do not count when they become so.
// - A hard state is written whenever one is given, with or without a sync: an
//   entry must never be durable without the commit index that came before it.
// - A member is elected, commits and answers reads by rounds of messages: the
//   clock matters to progress only, never to safety.
//
// Configuration changes take effect when they are applied, as in etcd's raft
// and unlike in the thesis: mixed clusters must agree on it. Therefore a leader
// appends no change before the one before it is applied (pending_conf_index),
// and no member campaigns with a committed change that it has not applied.
//
// Everything inside is bounded by RaftOptions. Used by one thread. The storage
// is borrowed.
class Raft {
 public:
  // REQUIRES: options.id is set, heartbeat_ticks < election_ticks; `start` is
  // what `storage` and the state machine hold
  Raft(const RaftOptions& options, const RaftStart& start,
       const LogStorage* storage);
  Raft(const Raft&) = delete;
  Raft& operator=(const Raft&) = delete;

  // --- What happens ---

  // A tick of the shell's clock has passed.
  void Tick();
  // A message has come. InvalidArgument if it makes no sense, DataLoss if it
  // contradicts what was committed here; nothing is changed then.
  Status Step(Message message);

  // To be appended to the log, by the leader: a follower sends it on. OK says
  // only that it is on its way; it may be lost, and it may be applied even if
  // this member never learns how. Unavailable if there is no leader or it hands
  // over; ResourceExhausted if too much is not yet committed.
  Status Propose(std::string data);
  // The same for a change of members (thesis 4). FailedPrecondition if it leads
  // and another change is not yet applied, or it does not fit to a joint
  // configuration; another leader turns such a change into an empty entry.
  Status ProposeConfChange(const ConfChange& change);
  Status ProposeConfChange(const ConfChangeV2& change);
  // A linearizable read (thesis 6.4): Output::reads will say from which index
  // on it may be served, or Output::lost_reads that nobody answered for ten
  // election timeouts. ResourceExhausted if too many wait.
  Status ReadIndex(ReadId id);
  // The leader is to hand over to `to`, a voter (3.10); a follower passes it
  // on. The leader brings it up to date first, takes no proposals meanwhile,
  // and gives up after election_ticks.
  void TransferLeadership(MemberId to);
  // Do not wait for the election timeout (paper 5.2).
  void Campaign();
  // The process of `member` is not there: its machine refuses connections. If
  // we took it for the leader, we do not wait for the election timeout to find
  // that it is dead. A hint: nothing depends on it.
  void ReportGone(MemberId member);
  // The transport could not deliver to `member`: stop sending ahead.
  void ReportUnreachable(MemberId member);
  // Every kSnapshot message must be answered by this: whether `member` has got
  // the whole snapshot. Until then it gets nothing else. The shell completes
  // the message with the data; and as the newest snapshot of its storage may be
  // older than the membership of the receiver, which then refuses it, the shell
  // should send the state as it is now, with the metadata of that.
  void ReportSnapshot(MemberId member, bool ok);

  // --- What to do ---

  // *output is cleared first; its memory is used again.
  void TakeOutput(Output* output);
  // Everything of the outputs up to `sequence` is durable, or written if they
  // had no must_sync.
  void Persisted(OutputSequence sequence);
  // A committed change is being applied: gives the members from now on, to be
  // kept with the state. To be called between the applications of the entries
  // before and after it, on every member, unless the shell refuses the change
  // on every member. FailedPrecondition if it cannot be: then nothing changes,
  // on any member.
  StatusOr<ConfState> ApplyConfChange(const ConfChangeV2& change);
  // Everything up to `index` is applied, changes of members included. To be
  // said of a snapshot's index as soon as it is installed, before entries after
  // it are applied: its members take effect then.
  void Applied(LogIndex index);

  // --- What it knows; for the shell's decisions, metrics and tests ---

  MemberId id() const { return options_.id; }
  Term term() const { return term_; }
  MemberId vote() const { return vote_; }
  MemberId leader() const;
  RoleName role_name() const;
  bool is_leader() const { return std::holds_alternative<Leader>(role_); }
  const Role& role() const { return role_; }
  const Log& log() const { return log_; }
  const Configuration& configuration() const { return configuration_; }
  // A voter that may stand for election.
  bool Promotable() const;

 private:
  // raft.cc
  void ResetElection(Term term);
  void BecomeFollower(Term term, MemberId leader);
  bool InLease() const;
  bool StepHigherTerm(const Message& message);
  void StepLowerTerm(const Message& message);
  Status StepWithoutTerm(Message message);
  Status StepRole(Message message);
  Status CheckMessage(const Message& message) const;
  void Send(Message message);
  void SendWhenDurable(Message message);
  const Follower* follower() const { return std::get_if<Follower>(&role_); }
  Candidate* candidate() { return std::get_if<Candidate>(&role_); }
  Leader* leading() { return std::get_if<Leader>(&role_); }

  // election.cc
  void TickElection();
  void StartElection(bool transfer);
  bool HasUnappliedChange() const;
  void BecomePreCandidate();
  void BecomeCandidate(bool transfer);
  void BecomeLeader();
  void AskForVotes(MessageType type, Term term, bool transfer);
  void CountVote(MemberId from, bool granted);
  void HandleVoteRequest(const Message& message);
  void HandleVoteResponse(const Message& message);
  void LearnCommit(const Message& refusal);
  void WinPreVote();

  // follower.cc
  Status HearLeader(Message message);
  Status HandleAppend(Message message);
  Status HandleHeartbeat(const Message& message);
  void HandleSnapshot(Message message);
  bool Restore(Snapshot* snapshot);
  void SendRefusal(const Message& message);
  void SendAccepted(LogIndex index);
  Status Forward(Entry entry);
  void HandleReadIndexResponse(const Message& message);

  // leader.cc
  void TickLeader();
  bool QuorumActive();
  void SendHeartbeats();
  Status ProposeEntry(Entry entry);
  Status AdmitProposal(uint64_t bytes) const;
  Status AdmitConfChange(const Entry& entry) const;
  void AppendAsLeader(Entry entry);
  Status HandleProposals(Message message);
  LogIndex MatchOf(MemberId member) const;
  bool MaybeCommit();
  bool CommittedInTerm() const;
  void HandleReadIndex(Message message);
  void StartReadRound();
  void ConfirmReads();
  void HandleTransfer(MemberId to);
  void FinishTransfer(Peer* peer);

  // replication.cc
  void SendAppends();
  bool SendAppend(Peer* peer);
  bool SendSnapshot(Peer* peer);
  void HandleAppendResponse(const Message& message);
  void HandleAccepted(Peer* peer, LogIndex index);
  void HandleRefused(Peer* peer, const Message& message);
  void HandleHeartbeatResponse(const Message& message);

  // membership.cc
  void SwitchTo(Configuration configuration);
  void UpdatePeers(Leader* leader);
  Progress NewProgress() const;
  void MaybeLeaveJoint();
  void BeginRetirement();
  void MaybeRetire();

  // output.cc
  void FlushReads();
  void TakeDurable(Output* output);
  void ReleaseHeld(OutputSequence persisted);

  const RaftOptions options_;
  const PlantedBugs bugs_;
  const LogStorage* const storage_;

  Random random_;
  Log log_;
  Configuration configuration_;
  // Of snapshots that are not yet applied.
  std::deque<std::pair<LogIndex, Configuration>> restored_members_;
  Term term_;
  MemberId vote_;
  Role role_;
  // Ticks since a leader was heard of, or as a leader since check-quorum.
  uint32_t election_elapsed_ = 0;
  uint32_t election_timeout_ = 0;
  LocalReads local_reads_;

  // What TakeOutput will take.
  std::vector<Message> messages_;
  std::vector<SafeRead> reads_;
  std::vector<ReadId> lost_reads_;
  std::vector<std::string> read_contexts_;
  uint64_t forwarded_bytes_ = 0;  // proposals in messages_
  HardState given_hard_state_;
  SoftState given_soft_state_;

  // Outputs in flight, and what waits for them.
  struct InFlight {
    OutputSequence sequence;
    LogIndex last;
    Term last_term;
    Term term;
    LogIndex snapshot;
  };
  struct Held {
    std::optional<OutputSequence> sequence;  // none: the next output's
    Message message;
  };
  OutputSequence last_sequence_;
  OutputSequence last_sync_sequence_;
  OutputSequence persisted_;
  Term durable_term_;
  std::deque<InFlight> in_flight_;
  std::deque<Held> held_;
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_RAFT_H_
