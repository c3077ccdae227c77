#ifndef STRATA_SERVER_NODE_IMPL_H_
#define STRATA_SERVER_NODE_IMPL_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "rpc/proto/raft_internal.pb.h"
#include "server/alarms.h"
#include "server/applier.h"
#include "server/auto_compactor.h"
#include "server/cluster.h"
#include "server/compaction_waiters.h"
#include "server/corruption_checker.h"
#include "server/data_dir.h"
#include "server/id_generator.h"
#include "server/lessor.h"
#include "server/node.h"
#include "server/node_stats.h"
#include "server/raft_replicator.h"
#include "server/replaceable_store.h"
#include "server/replicator.h"
#include "server/slow_log.h"
#include "server/snapshotter.h"

namespace strata {

// The Node.
//
// Files: node.cc (opening, stopping, a member alone), node_propose.cc (what
// clients ask, and what the node asks itself), node_apply.cc (what the log
// says), node_members.cc (changes of members, leadership), node_version.cc (the
// cluster's version), node_snapshot.cc
// (to and from other members).
//
// Order of destruction, from the last field up: the replicator first, which
// stops calling; then what it calls.
class NodeImpl final : public Node, private ReplicatedMachine {
 public:
  NodeImpl(const NodeOptions& options, const NodeWorld& world, DataDir* dir);

  // The rest of opening: what can fail.
  Status Start(DataDir dir);

  // Node.
  void Propose(etcdserverpb::InternalRaftRequest* request,
               std::function<void(StatusOr<ApplyResult>)> reply) override;
  void ReadIndex(std::function<void(const Status&)> done) override {
    replicator_->ReadIndex(std::move(done));
  }
  void WaitCompacted(Revision revision, std::function<void()> done) override {
    compactions_.Wait(revision, std::move(done));
  }
  LeaseId NewLeaseId() override {
    return LeaseId(static_cast<int64_t>(ids_.Next() & INT64_MAX));
  }
  void RenewLease(LeaseId id,
                  std::function<void(StatusOr<int64_t>)> reply) override;
  StatusOr<Duration> LeaseTimeLeft(LeaseId id) const override;
  void AskLeaseTimeLeft(LeaseId id,
                        std::function<void(StatusOr<Duration>)> reply) override;
  std::vector<LeaseId> Leases() const override;
  void AddMember(const std::vector<std::string>& peer_urls, bool is_learner,
                 std::function<void(StatusOr<MemberRecord>)> reply) override;
  void RemoveMember(MemberId id, MembersReply reply) override;
  void UpdateMember(MemberId id, const std::vector<std::string>& peer_urls,
                    MembersReply reply) override;
  void PromoteMember(MemberId id, MembersReply reply) override;
  void MoveLeader(MemberId to,
                  std::function<void(const Status&)> done) override;
  void ValidateDowngrade(const std::string& target,
                         std::function<void(const Status&)> done) override;
  void EnableDowngrade(const std::string& target,
                       std::function<void(const Status&)> done) override;
  void CancelDowngrade(std::function<void(const Status&)> done) override;
  Downgrade downgrade() const override { return cluster_.downgrade(); }
  std::vector<AlarmRecord> alarms() const override { return alarms_.List(); }
  Store* store() override { return store_.get(); }
  WatchHub* watch_hub() override { return watch_hub_.get(); }
  MemberId member_id() const override { return member_id_; }
  bool is_learner() const override { return cluster_.IsLearner(member_id_); }
  ClusterId cluster_id() const override { return cluster_id_; }
  Level level() const override { return level_; }
  ReplicatorStatus replication() const override {
    return replicator_->GetStatus();
  }
  Membership membership() const override { return cluster_.membership(); }
  Status CheckMembers() const override;
  NodeStats stats() const override;
  SlowLog* slow_log() override { return &slow_log_; }
  Status Stop() override;

 private:
  // Requests of our own.
  using Request = std::shared_ptr<etcdserverpb::InternalRaftRequest>;

  // ReplicatedMachine.
  void Apply(std::span<const CommittedEntry> entries) override;
  void Fail(const Status& status) override;
  Status CheckConfChange(const raft::Entry& entry) override;
  void ApplyConfChange(const raft::Entry& entry,
                       const Status& admitted) override;
  bool HasRoom() const override {
    return store_->tail_bytes() <= options_.max_tail_bytes;
  }
  raft::SnapshotMetadata Applied() const override;
  void MakeSnapshot(
      raft::Message message,
      std::function<void(StatusOr<OutgoingSnapshot>)> done) override;
  void InstallSnapshot(const raft::Snapshot& snapshot,
                       std::function<void(const Status&)> done) override;
  void LeaderChanged(const raft::SoftState& now) override;
  void Removed() override;
  bool IsRemoved(MemberId member) const override {
    return cluster_.IsRemoved(member);
  }

  // node.cc
  StoreOptions MakeStoreOptions();
  Status OpenStore(DataDir* dir);
  Status Replay(const DataDir& dir);
  Status StartAlone(DataDir* dir);
  Status StartMember(DataDir* dir);
  // Calls `done` when the members can be changed, on the loop or at once: one
  // that is alone becomes a cluster of one.
  void WhenMember(std::function<void(const Status&)> done);
  Status BecomeMember();  // on the loop
  std::unique_ptr<RaftReplicator> MakeRaft(RaftReplicator::Options options,
                                           std::unique_ptr<Wal> wal);
  // Null: this member is alone, and answers for itself. Any thread.
  RaftReplicator* raft() const { return raft_.load(); }
  Status ReplayMembers(const DataDir& dir, LogIndex applied);
  void StartWorkers(LogIndex snapshot_index);
  void StartChecker();
  // A timer that does not outlive Stop. On the loop.
  void Later(Duration delay, std::function<void()> function);
  void HandOver();

  // node_propose.cc
  void ProposeIn(Term only_in, etcdserverpb::InternalRaftRequest* request,
                 std::function<void(StatusOr<ApplyResult>)> reply);
  void ProposeOwn(const Request& request, std::function<void(Status)> done,
                  Term only_in = {});
  void ProposeRevoke(LeaseId id, std::function<void(Status)> done);
  Lessor::Checkpoint MakeCheckpointer();
  void ProposeCompaction(Revision revision, std::function<void(Status)> done);
  void RaiseCorrupt(MemberId member);
  void RaiseNoSpace(std::function<void(Status)> done);
  int64_t Quota() const;
  Status CheckLoad(uint64_t tail_bytes) const;
  bool WithinQuota(const etcdserverpb::InternalRaftRequest& request,
                   uint64_t tail_bytes) const;
  void RenewAsLeader(LeaseId id, Term term,
                     std::function<void(StatusOr<int64_t>)> reply);
  // In which this member leads and knows all of the terms before; 0: it does
  // not.
  Term ReignTerm() const { return Term(reign_.load()); }

  // node_apply.cc
  void ApplyOne(const CommittedEntry& entry);
  // Tells of it if it took long. Returns the time, when the next one begins.
  Time TellIfSlow(const CommittedEntry& entry, Time began,
                  const Status& status);
  void ApplyLogged(const raft::Entry& entry);
  void BeginReign();
  void PromoteLearners(Term term);
  void EndReign();
  void PublishLater();
  void Publish();

  // node_version.cc
  void WatchVersions();
  void LookAtVersions();
  void DecideVersion(const std::vector<std::string>& versions, bool all);
  void ProposeVersion(const std::string& version);
  void ProposeDowngrade(const Downgrade& downgrade,
                        std::function<void(const Status&)> done);
  Status CheckDowngrade(const std::string& target) const;

  // node_members.cc
  Status CheckTransport() const;
  void ProposeConfChange(raft::ConfChange change,
                         std::function<void(const Status&)> done);
  Status CheckReadyToAdd(const Membership& membership) const;
  Status CheckReadyToRemove(const Membership& membership, MemberId id) const;
  Status CheckReadyToPromote(MemberId id, const Membership& membership) const;
  void PromoteAsLeader(MemberId id, const MembersReply& reply);
  // Voters that are up, as far as the transport knows.
  size_t ConnectedVoters(const Membership& membership) const;
  void SetPeers(const Membership& membership);
  void SetPeer(const raft::ConfChange& change);

  // node_snapshot.cc
  StatusOr<OutgoingSnapshot> CompleteSnapshot(
      raft::Message message, std::shared_ptr<const StoreImage> image);
  StatusOr<std::unique_ptr<Store>> OpenInstalled(LogIndex index);
  Status Adopt(std::unique_ptr<Store> store, const raft::Snapshot& snapshot);

  // Constant after construction.
  const NodeOptions options_;
  const NodeWorld world_;
  const MemberId member_id_;
  const ClusterId cluster_id_;
  const Level level_;

  NodeCounters counters_;
  SlowLog slow_log_;
  IdGenerator ids_;
  Cluster cluster_;
  Alarms alarms_;
  Lessor lessor_;
  CompactionWaiters compactions_;
  std::unique_ptr<Store> store_;
  // store_ of a member that is one of several, or may become one.
  ReplaceableStore* replaceable_ = nullptr;
  std::unique_ptr<WatchHub> watch_hub_;
  std::unique_ptr<Applier> applier_;  // bound to world_.loop
  std::unique_ptr<Snapshotter> snapshotter_;
  std::unique_ptr<AutoCompactor> compactor_;  // works on world_.loop
  std::unique_ptr<CorruptionChecker> checker_;

  // Bound to world_.loop.
  Term leading_in_;  // 0: does not lead
  MemberId last_leader_;
  int first_looks_ = 0;  // at the members' versions, while there is none
  LogIndex applied_;
  Term applied_term_;
  Time apply_began_ = {};  // of the next entry
  bool removed_ = false;
  std::set<Loop::TimerId> timers_;
  bool stopping_ = false;
  bool stays_alone_ = false;  // it is about to stop
  bool was_alone_ = false;    // and its clock of the leases goes on

  std::atomic<uint64_t> reign_{0};

  // replicator_, or the one that it has handed over to: grown_.
  std::atomic<RaftReplicator*> raft_{nullptr};
  std::unique_ptr<Replicator> replicator_;
  std::unique_ptr<RaftReplicator> grown_;
  std::atomic<Replicator*> log_{nullptr};  // the same, for the flusher
};

}  // namespace strata

#endif  // STRATA_SERVER_NODE_IMPL_H_
