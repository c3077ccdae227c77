#ifndef STRATA_SERVER_RAFT_REPLICATOR_H_
#define STRATA_SERVER_RAFT_REPLICATOR_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "raft/raft.h"
#include "server/log_holds.h"
#include "server/log_writer.h"
#include "server/node_stats.h"
#include "server/planted_bugs.h"
#include "server/raft_log.h"
#include "server/replicator.h"
#include "server/snapshot_offers.h"
#include "server/transport.h"
#include "wal/wal.h"

namespace strata {

// What a RaftReplicator drives, beyond entries. Bound to the node's loop.
class ReplicatedMachine : public StateMachine {
 public:
  // Whether the change of members in `entry` can be; every member must say the
  // same.
  virtual Status CheckConfChange(const raft::Entry& entry) = 0;
  // If `admitted` is OK, raft counts so from now on, and so shall the state;
  // else the change has no effect. Replies to who proposed it.
  virtual void ApplyConfChange(const raft::Entry& entry,
                               const Status& admitted) = 0;
  // Whether more can be applied: what the backend has not taken yet is bounded.
  virtual bool HasRoom() const = 0;
  // What is applied now.
  virtual raft::SnapshotMetadata Applied() const = 0;
  // Completes a kSnapshot message with the state as it is now or a little
  // later; calls `done` on the loop.
  virtual void MakeSnapshot(
      raft::Message message,
      std::function<void(StatusOr<OutgoingSnapshot>)> done) = 0;
  // Replaces the state by that of a snapshot from another member, whose
  // database is on the disk and which the log knows; then calls `done`, on the
  // loop.
  virtual void InstallSnapshot(const raft::Snapshot& snapshot,
                               std::function<void(const Status&)> done) = 0;
  virtual void LeaderChanged(const raft::SoftState& now) = 0;
  // The cluster has removed this member, another one says.
  virtual void Removed() = 0;
  // As Receiver.
  virtual bool IsRemoved(MemberId member) const = 0;  // any thread
};

// One member of several: an entry is decided when a quorum has it on disk.
// Drives raft::Raft by the rules of docs/raft.md on the node's loop; the log is
// written on a loop of its own (log_writer.h), so that neither ticks nor
// heartbeats wait for a disk.
//
// A proposal waits until it is applied here, wherever it was logged: entries
// and proposals are matched by the request's id. One whose fate is not known in
// time is answered "request timed out": it may still be applied.
//
// A leader whose disk does not answer for half an election timeout hands over.
// While the state machine has no room nothing is applied, and so nothing
// acknowledged.
//
// Must be stopped, or its loops have ended, before it is destroyed.
class RaftReplicator : public Replicator, private Receiver {
 public:
  struct Options {
    MemberId self = {};
    raft::RaftStart start = {};
    // The log that was read: the entries after the one at `log_before`.
    LogIndex log_before = {};
    Term log_before_term = {};
    std::vector<raft::Entry> entries = {};
    // Of the log, in memory, for members that are behind; and as much that is
    // not yet applied.
    uint64_t max_log_bytes = uint64_t{256} << 20;

    Duration heartbeat_interval = std::chrono::milliseconds(100);
    Duration election_timeout = std::chrono::seconds(1);
    bool pre_vote = true;
    // At the start, once a quorum can be reached and none of it leads, most of
    // the election timeout counts as over.
    bool election_tick_advance = true;
    uint64_t random_seed = 0;  // another one in each life of each member
    uint64_t max_wals = 5;
    std::string snap_directory = {};
    bool conf_state_in_log = true;
    const raft::PlantedBugs* raft_bugs = nullptr;
    ServerBugs bugs = {};
  };
  // All outlive the replicator.
  struct World {
    Env* env = nullptr;
    Loop* loop = nullptr;
    Loop* log = nullptr;
    Transport* transport = nullptr;
    Logger* logger = nullptr;
    NodeCounters* counters = nullptr;
  };

  RaftReplicator(Options options, const World& world, std::unique_ptr<Wal> wal,
                 ReplicatedMachine* machine);
  ~RaftReplicator() override;

  // Applies what is known to be committed, then takes part. Once, on the loop,
  // before anything else that was posted.
  void Start();

  // Replicator.
  void Propose(std::unique_ptr<Proposal> proposal) override;
  void ReadIndex(std::function<void(const Status&)> done) override;
  void SnapshotTaken(const WalSnapshot& snapshot, LogIndex release,
                     std::function<void(const Status&)> done) override;
  // All that is acknowledged is on a quorum's disks, and here.
  Status SyncLog() override { return Status::Ok(); }
  ReplicatorStatus GetStatus() const override;
  void Stop() override;

  // The machine: the entry that was proposed under `id` has been applied.
  // Nothing if nobody waits for it here.
  void Reply(uint64_t id, StatusOr<ApplyResult> result);

  // Asks the leader to hand over to `to`; any thread.
  void MoveLeader(MemberId to, std::function<void(const Status&)> done);

  // The following are bound to the loop.

  bool leading() const { return raft_.is_leader(); }
  // How much of the log `member` is known to have; nothing if we do not lead or
  // it is no member.
  std::optional<LogIndex> MatchOf(MemberId member) const;
  LogIndex last_index() const { return raft_.log().last_index(); }
  std::optional<Term> TermAt(LogIndex index) const {
    return raft_.log().TermAt(index);
  }
  // Whom raft counts.
  const raft::Configuration& members() const { return raft_.configuration(); }
  // A voter that is up to date; 0 if there is none.
  MemberId BestSuccessor() const;

 private:
  struct Waiting {
    std::unique_ptr<Proposal> proposal;
    Time deadline{};
    bool sent = false;  // to raft, here or elsewhere
  };
  struct Read {
    std::function<void(const Status&)> done;
    Time deadline{};
  };
  // What other threads bring, beside proposals.
  struct Inbox {
    std::vector<std::function<void(const Status&)>> reads;
    std::vector<raft::Message> messages;
    std::vector<std::function<void()>> tasks;
    uint64_t message_bytes = 0;

    bool empty() const {
      return reads.empty() && messages.empty() && tasks.empty();
    }
  };
  // An entry of ours that was logged here.
  struct Own {
    LogIndex index;
    Term term;
    uint64_t id = 0;
  };
  struct ToApply {
    std::optional<raft::Snapshot> snapshot;
    raft::OutputSequence sequence;  // of the snapshot
    std::vector<raft::Entry> entries;
  };
  struct Transfer {
    MemberId to;
    Time deadline{};
    std::function<void(const Status&)> done;
  };

  // Receiver.
  void Receive(raft::Message message) override;
  StatusOr<std::unique_ptr<IncomingSnapshot>> ReceiveSnapshot(
      raft::Message message) override;
  void Unreachable(MemberId member) override;
  void Gone(MemberId member) override;
  bool IsRemoved(MemberId member) const override {
    return machine_->IsRemoved(member);
  }
  void RemovedHere() override;

  // raft_replicator.cc: what comes in
  void Wake();  // REQUIRES: mutex_
  void RunOnLoop(std::function<void()> task);
  void Drain();
  void Handle(Inbox inbox);
  bool Gathers() const;
  bool HasTurn();  // REQUIRES: mutex_
  void NoteQuorum();
  void TakeProposals();
  void Step(raft::Message message);
  void Add(std::unique_ptr<Proposal> proposal);
  void AddRead(std::function<void(const Status&)> done);
  // False if it has to wait for a leader.
  bool Submit(uint64_t id, Waiting* waiting);
  Status SubmitToRaft(const Proposal& proposal);
  void Remember(uint64_t id);
  void SubmitParked();
  void OnTick();
  void Expire();
  void ExpireReads(Time now);
  void AdvanceElection();
  void CheckDisk();
  // For how long the log, or the state, has waited for its disk.
  Duration DiskWait();
  void CheckTransfer();
  Status TimeoutError() const;

  // raft_shell.cc: what goes out
  void Pump();
  void HandleOutput(raft::Output* output);
  bool AnswersFirst(const raft::Output& output) const;
  void ApplyOrKeep(raft::Output* output);
  void CatchUp();
  void HandleSoftState(const raft::SoftState& now);
  void SendMessages(std::vector<raft::Message>* messages);
  void SendSnapshot(raft::Message message);
  void HandSnapshot(MemberId to, Term term,
                    StatusOr<OutgoingSnapshot> snapshot);
  bool LeadsIn(Term term) const {
    return raft_.is_leader() && raft_.term() == term;
  }
  void SnapshotSent(MemberId to, Term term, bool ok);
  void ReportFailedSnapshots();
  void SnapshotFailed(MemberId to);
  void ReleaseLog();
  void Persist(raft::Output* output);
  void OnPersisted(raft::OutputSequence sequence);
  void ApplyReady();
  void Install(const ToApply& work);
  void ApplyEntries(std::vector<raft::Entry>* entries);
  void ApplyBatch();
  void ApplyConfChange(const raft::Entry& entry);
  void SwitchMembers(const std::vector<raft::Entry>& appended);
  std::unique_ptr<Proposal> TakeOwn(const raft::Entry& entry);
  void AnswerReads();
  void Publish();
  void Fail(const Status& status);
  void StopListening();

  // Constant after construction; the entries are in log_.
  Options options_;
  const World world_;
  ReplicatedMachine* const machine_;

  // Bound to world_.loop.
  RaftLog log_;
  raft::Raft raft_;
  raft::Output output_;  // memory used again
  std::unique_ptr<LogWriter> writer_;
  raft::OutputSequence persisted_;
  // As a leader: since then all up to persisted_last_ is on our disk, and not
  // known to be on a quorum's.
  std::optional<Time> persisted_at_;
  LogIndex persisted_last_;
  bool quorum_is_quick_ = false;
  bool pumping_ = false;
  bool failed_ = false;
  bool stopping_ = false;
  std::optional<Loop::TimerId> tick_;
  std::unordered_map<uint64_t, Waiting> waiting_;
  std::deque<std::pair<Time, uint64_t>> deadlines_;  // of waiting_
  std::deque<uint64_t> parked_;                      // wait for a leader
  std::deque<Own> own_;
  std::map<raft::ReadId, Read> reads_;
  std::multimap<LogIndex, raft::ReadId> safe_reads_;
  raft::ReadId last_read_;
  std::deque<ToApply> to_apply_;
  bool installing_ = false;
  LogIndex applied_;
  // To be applied together, reused.
  std::vector<CommittedEntry> batch_;
  std::vector<std::unique_ptr<Proposal>> batch_proposals_;
  raft::SoftState soft_state_;
  std::optional<Time> leader_lost_at_;
  SnapshotOffers snapshot_offers_;  // empty unless we lead
  LogHolds log_holds_;              // and so is this
  LogIndex releasable_;             // of the log, but for those
  std::optional<Transfer> transfer_;
  std::optional<Time> handed_over_at_;
  std::optional<Time> no_room_since_;
  std::optional<Time> advance_until_;  // of the election; nothing: it is over

  std::atomic<bool> listening_{false};
  std::atomic<uint64_t> snapshots_come_{0};
  // Written on the loop, read by any thread.
  std::atomic<uint64_t> seen_term_{0};
  std::atomic<uint64_t> seen_leader_{0};
  std::atomic<uint64_t> seen_last_{0};
  std::atomic<uint64_t> seen_committed_{0};
  // Proposals not yet answered; changed with mutex_ held.
  std::atomic<uint64_t> in_flight_{0};

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  Inbox inbox_;
  std::vector<std::unique_ptr<Proposal>> proposals_;
  uint64_t proposal_bytes_ = 0;
  bool gathering_ = false;  // proposals wait, and wake nobody
  bool posted_ = false;
  bool stopped_ = false;
};

}  // namespace strata

#endif  // STRATA_SERVER_RAFT_REPLICATOR_H_
