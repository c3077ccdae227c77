#ifndef STRATA_SERVER_NODE_H_
#define STRATA_SERVER_NODE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/limits.h"
#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/types.h"
#include "engine/backend_dir.h"
#include "engine/level.h"
#include "engine/store.h"
#include "engine/watch_hub.h"
#include "raft/planted_bugs.h"
#include "server/apply_result.h"
#include "server/auto_compactor.h"
#include "server/cluster.h"
#include "server/corruption_checker.h"
#include "server/durability.h"
#include "server/node_stats.h"
#include "server/planted_bugs.h"
#include "server/quota.h"
#include "server/replicator.h"
#include "server/slow_log.h"
#include "server/transport.h"
#include "snapshot/snap_file.h"

namespace strata {

struct PlantedBugs;  // wal/planted_bugs.h

// A cluster that is there, which a new member joins: as its members tell.
struct ExistingCluster {
  ClusterId id = {};
  MemberId self = {};  // as it was added
  std::vector<MemberRecord> members = {};
};

struct NodeOptions {
  std::string name = "default";
  std::string data_dir;
  std::string wal_dir = {};  // empty: data_dir/member/wal
  // Unset: the level of the directory, and 3.5 for a new one.
  std::optional<Level> level;
  // As given to a new member; an existing directory keeps what it has, but for
  // the client URLs.
  std::vector<std::string> initial_advertise_peer_urls;
  std::string initial_cluster =
      {};  // "name=url,name=url"; empty: this member alone
  std::string initial_cluster_token = "etcd-cluster";
  // Set: a new member does not make the cluster above but joins this one.
  std::optional<ExistingCluster> join = std::nullopt;
  // The member of a cluster that lost its quorum goes on alone: what is not
  // known to be committed is cut off its log, and the others are removed.
  bool force_new_cluster = false;
  std::vector<std::string> advertise_client_urls;

  BackendKind backend = BackendKind::kBtree;
  BtreeOptions btree;
  LeveldbOptions leveldb;
  Duration batch_interval = std::chrono::milliseconds(100);
  uint64_t batch_changes = limits::kTailChanges;
  ScrubOptions scrub = {};
  ShrinkOptions shrink = {};
  uint64_t snapshot_count = limits::kSnapshotCount;  // 0: as many
  uint64_t snapshot_bytes = uint64_t{512} << 20;  // of the log; 0: any number
  // 0: as many.
  uint64_t snapshot_catch_up_entries = limits::kSnapshotCatchUpEntries;
  // Of what is not needed any more; 0: all of it is kept.
  uint64_t max_wals = limits::kMaxWals;
  uint64_t max_snapshots = limits::kMaxSnapshots;
  uint64_t wal_segment_bytes = limits::kLogSegmentBytes;
  uint64_t max_request_bytes = limits::kMaxRequestBytes;
  // Between progress notices to watchers that ask for them.
  Duration watch_progress_interval = std::chrono::minutes(10);
  // What a change has survived when it is answered.
  Durability durability = {};
  // Off: nothing is ever synced, and after a power loss the directory may not
  // open any more (--unsafe-no-fsync).
  bool fsync = true;
  // More live data than this raises the NOSPACE alarm; 0: kDefaultQuotaBytes,
  // negative: no limit.
  int64_t quota_backend_bytes = 0;
  AutoCompaction auto_compaction = {};
  CorruptionCheckOptions corruption_check = {};
  // What takes longer to apply, or to read, is logged; 0: nothing is.
  Duration warning_apply_duration = std::chrono::milliseconds(100);
  // No lease lasts less: as etcd's, one and a half election timeouts.
  int64_t min_lease_ttl_seconds = limits::kMinLeaseTtlSeconds;
  // What is left of long leases is told to the log now and then, and (with the
  // second, or from level 3.6 on) kept over restarts: server/lessor.h.
  bool lease_checkpoints = false;
  bool persist_lease_checkpoints = false;

  // More than this that the backend has not yet is refused (kTailBytesMax).
  uint64_t max_tail_bytes = limits::kTailBytesMax;

  // Of a member of several.
  SnapshotSendOptions snapshot_send = {};
  // With more entries decided and not yet applied here, requests are refused.
  uint64_t max_applied_gap = 5000;  // as etcd's
  Duration heartbeat_interval = std::chrono::milliseconds(100);
  Duration election_timeout = std::chrono::seconds(1);
  bool pre_vote = true;
  // A change of members that could cost the quorum is refused.
  bool strict_reconfig_check = true;
  // A start without a leader does not wait for the whole election timeout, once
  // enough others are there.
  bool initial_election_tick_advance = true;
  // How often the leader looks at all members' versions.
  Duration downgrade_check_period = std::chrono::seconds(5);
  size_t max_learners = 1;
  // A leader makes learners voters as soon as they can be.
  bool auto_promote_learners = false;
  // For tests.
  const raft::PlantedBugs* raft_bugs = nullptr;
  const PlantedBugs* wal_bugs = nullptr;
  ServerBugs bugs = {};
};

// What a member asks of another beside raft: etcd's peer paths. `reply` is
// called once, on any thread.
class LeaderClient {
 public:
  virtual ~LeaderClient() = default;
  virtual void RenewLease(MemberId leader, LeaseId id,
                          std::function<void(StatusOr<int64_t>)> reply) = 0;
  virtual void LeaseTimeLeft(MemberId leader, LeaseId id,
                             std::function<void(StatusOr<Duration>)> reply) = 0;
  virtual void PromoteMember(
      MemberId leader, MemberId id,
      std::function<void(StatusOr<Membership>)> reply) = 0;
  // Of any member. OutOfRange: it does not have that revision, not yet or not
  // any more.
  virtual void HashKv(MemberId member, Revision revision,
                      std::function<void(StatusOr<MemberHash>)> reply) = 0;
  // Of any member: its release, "3.4.23".
  virtual void Version(MemberId member,
                       std::function<void(StatusOr<std::string>)> reply) = 0;
};

// The world a node lives in; all outlive it.
struct NodeWorld {
  Env* env = nullptr;
  Loop* loop = nullptr;        // consensus and apply
  Loop* flusher = nullptr;     // backend writes, compaction, scrub
  Loop* background = nullptr;  // log segments written ahead
  Loop* compactor = nullptr;   // LevelDB's tables; null: the flusher
  // A thread that has nothing to do while the node is opened and shares that
  // work; null: there is none.
  Loop* helper = nullptr;
  Loop* watch_pump = nullptr;  // watchers are fed; null: on `background`
  // To the other members. Null: this is a cluster of one, for good.
  Transport* transport = nullptr;
  Loop* log =
      nullptr;  // a member of several writes its log; set with the above
  LeaderClient* leader_client = nullptr;  // null: followers refuse
  // Mixed into what raft leaves to chance.
  uint64_t random_seed = 0;
  Logger* logger = nullptr;
  // The node can not go on (a failed sync): stop the process, exit code 1.
  std::function<void(const Status&)> on_fatal;
};

// One member: the place where engine, log, snapshot and replication meet. The
// API of everything above (rpc/ and strata.h): change through Propose, read
// through ReadIndex and store().
//
// Opening finds or makes `data_dir`/member/{wal,snap/db} as etcd lays it out,
// takes its locks, replays the log, and is ready to serve when it returns. A
// directory this version cannot honour is an error that names what it is, and
// nothing in it is changed.
class Node {
 public:
  static StatusOr<std::unique_ptr<Node>> Open(const NodeOptions& options,
                                              const NodeWorld& world);
  virtual ~Node() = default;

  // Any thread. Sets the request's header id. `request` is borrowed, and must
  // not change, until `reply` has returned; `reply` is called exactly once, on
  // the node's loop or, for a request refused at once, on the caller's thread.
  // Validate first: server/validate.h.
  virtual void Propose(etcdserverpb::InternalRaftRequest* request,
                       std::function<void(StatusOr<ApplyResult>)> reply) = 0;

  // Calls `done` once store() shows every change acknowledged before this call.
  // May call back before it returns (one member always does). Any thread.
  virtual void ReadIndex(std::function<void(const Status&)> done) = 0;

  // Compaction that waits for the space to be freed (`physical`): calls `done`
  // when it is, for a revision that has been compacted through Propose. Any
  // thread.
  virtual void WaitCompacted(Revision revision, std::function<void()> done) = 0;

  // --- leases; any thread ---

  // An id for a lease whose client leaves the choice to us.
  virtual LeaseId NewLeaseId() = 0;
  // Gives the lease its full time again and tells how much that is, in seconds;
  // NotFound if it has ended, and then its keys are gone.
  virtual void RenewLease(LeaseId id,
                          std::function<void(StatusOr<int64_t>)> reply) = 0;
  // What is left of it; NotFound if it has ended, be its keys gone or not. Only
  // the leader knows: FailedPrecondition "not leader" from others.
  virtual StatusOr<Duration> LeaseTimeLeft(LeaseId id) const = 0;
  // The same; asks the leader.
  virtual void AskLeaseTimeLeft(
      LeaseId id, std::function<void(StatusOr<Duration>)> reply) = 0;
  // All there are; where this member leads, by the time they end.
  virtual std::vector<LeaseId> Leases() const = 0;

  // --- the cluster's members; any thread ---
  // Refusals are etcd's. Unimplemented without a transport.

  using MembersReply = std::function<void(StatusOr<Membership>)>;
  // A new member at these URLs. The id is made as etcd's, from them and the
  // time.
  virtual void AddMember(const std::vector<std::string>& peer_urls,
                         bool is_learner,
                         std::function<void(StatusOr<MemberRecord>)> reply) = 0;
  virtual void RemoveMember(MemberId id, MembersReply reply) = 0;
  virtual void UpdateMember(MemberId id,
                            const std::vector<std::string>& peer_urls,
                            MembersReply reply) = 0;
  // A learner becomes a voter, once it has nearly all of the log. Asks the
  // leader, who alone knows.
  virtual void PromoteMember(MemberId id, MembersReply reply) = 0;
  // This member, the leader, hands over to `to`.
  virtual void MoveLeader(MemberId to,
                          std::function<void(const Status&)> done) = 0;

  // --- going back to the release before; any thread ---
  // A target is "3.4" or "3.4.0". Refusals are etcd's.

  virtual void ValidateDowngrade(const std::string& target,
                                 std::function<void(const Status&)> done) = 0;
  // The cluster's version becomes the target's; members can then be started at
  // that level, one by one.
  virtual void EnableDowngrade(const std::string& target,
                               std::function<void(const Status&)> done) = 0;
  virtual void CancelDowngrade(std::function<void(const Status&)> done) = 0;
  virtual Downgrade downgrade() const = 0;

  virtual std::vector<AlarmRecord> alarms() const = 0;  // any thread
  virtual Store* store() = 0;                           // reads only
  // Told of all that is applied. Its streams must end before the node.
  virtual WatchHub* watch_hub() = 0;
  virtual MemberId member_id() const = 0;
  virtual bool is_learner() const = 0;
  virtual ClusterId cluster_id() const = 0;
  virtual Level level() const = 0;
  virtual ReplicatorStatus replication() const = 0;  // term, leader, indexes
  virtual Membership membership() const = 0;         // a copy
  // Internal, and what differs, if raft counts others than those whom the
  // applied entries give; for tests. Bound to the node's loop.
  virtual Status CheckMembers() const = 0;
  virtual NodeStats stats() const = 0;  // any thread
  // Where reads that took long are told of; the node tells of the others.
  virtual SlowLog* slow_log() = 0;

  // Must be called before a node whose loops run is destroyed. Finishes what
  // was proposed, writes the tail to the backend, closes files.
  // Blocks; not on a loop of the node.
  virtual Status Stop() = 0;
};

}  // namespace strata

#endif  // STRATA_SERVER_NODE_H_
