#include "server/node.h"

#include <atomic>
#include <utility>

#include "base/bytes.h"
#include "engine/errors.h"
#include "rpc/proto/raft_internal.pb.h"
#include "server/alarms.h"
#include "server/applier.h"
#include "server/auto_compactor.h"
#include "server/cluster.h"
#include "server/compaction_waiters.h"
#include "server/data_dir.h"
#include "server/describe_request.h"
#include "server/errors.h"
#include "server/id_generator.h"
#include "server/lessor.h"
#include "server/local_replicator.h"
#include "server/opening.h"
#include "server/snapshotter.h"

namespace strata {
namespace {

// Added to every lease's time when its clock starts anew: its client could not
// renew it meanwhile. etcd's default election timeout.
constexpr Duration kLeaseExtension = std::chrono::seconds(1);

// Order of destruction, from the last member up: the replicator first, which
// stops calling; then what it calls.
class NodeImpl : public Node, private StateMachine {
 public:
  NodeImpl(const NodeOptions& options, const NodeWorld& world, DataDir* dir)
      : options_(options),
        world_(world),
        member_id_(dir->member),
        cluster_id_(dir->cluster),
        level_(dir->level),
        slow_log_(options.warning_apply_duration, world.loop, world.logger),
        ids_(dir->member, world.loop->WallNow()),
        cluster_(dir->snapshot_membership),
        lessor_(world.loop, [this](LeaseId id, auto done) {
          ProposeRevoke(id, std::move(done));
        }) {}

  // The rest of opening: what can fail.
  Status Start(DataDir dir);

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
                  std::function<void(StatusOr<int64_t>)> reply) override {
    lessor_.Renew(id, std::move(reply));
  }
  StatusOr<Duration> LeaseTimeLeft(LeaseId id) const override;
  std::vector<LeaseId> Leases() const override { return lessor_.List(); }
  std::vector<AlarmRecord> alarms() const override { return alarms_.List(); }
  Store* store() override { return store_.get(); }
  WatchHub* watch_hub() override { return watch_hub_.get(); }
  MemberId member_id() const override { return member_id_; }
  ClusterId cluster_id() const override { return cluster_id_; }
  Level level() const override { return level_; }
  ReplicatorStatus replication() const override {
    return replicator_->GetStatus();
  }
  Membership membership() const override { return cluster_.membership(); }
  NodeStats stats() const override;
  SlowLog* slow_log() override { return &slow_log_; }
  Status Stop() override;

 private:
  void Apply(std::span<const CommittedEntry> entries) override;
  Time Applied(const CommittedEntry& entry, Time began, const Status& status);
  void Fail(const Status& status) override;
  Status OpenStore(DataDir* dir);
  Status Replay(const DataDir& dir);
  // Requests of our own.
  using Request = std::shared_ptr<etcdserverpb::InternalRaftRequest>;
  void ProposeOwn(const Request& request, std::function<void(Status)> done);
  void ProposeRevoke(LeaseId id, std::function<void(Status)> done);
  void ProposeCompaction(Revision revision, std::function<void(Status)> done);
  void RaiseNoSpace(std::function<void(Status)> done);
  int64_t Quota() const;
  bool WithinQuota(const etcdserverpb::InternalRaftRequest& request,
                   uint64_t tail_bytes) const;

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
  std::unique_ptr<WatchHub> watch_hub_;
  std::unique_ptr<Applier> applier_;  // bound to world_.loop
  std::unique_ptr<Snapshotter> snapshotter_;
  std::unique_ptr<AutoCompactor> compactor_;  // works on world_.loop
  std::unique_ptr<Replicator> replicator_;
  std::atomic<Replicator*> log_{nullptr};  // the same, for the flusher
};

Status NodeImpl::OpenStore(DataDir* dir) {
  StoreOptions options;
  options.level = level_;
  options.batch_interval = options_.batch_interval;
  options.batch_changes = options_.batch_changes;
  options.scrub = options_.scrub;
  options.shrink = options_.shrink;
  options.flusher = world_.flusher;
  options.helper = world_.helper;
  options.on_fatal = [this](const Status& status) { Fail(status); };
  // What was read or written at the start is durable.
  options.before_flush = [this] {
    Replicator* const log = log_.load();
    return log == nullptr ? Status::Ok() : log->SyncLog();
  };
  ASSIGN_OR_RETURN(store_, Store::Open(std::move(dir->backend),
                                       std::move(options), world_.logger));
  watch_hub_ = WatchHub::New(
      store_.get(),
      world_.watch_pump != nullptr ? world_.watch_pump : world_.background,
      {.level = level_,
       .progress_interval = options_.watch_progress_interval,
       .random_seed = ids_.Next()},
      world_.logger);
  applier_ = std::make_unique<Applier>(
      AppliedTo{.store = store_.get(),
                .cluster = &cluster_,
                .alarms = &alarms_,
                .lessor = &lessor_,
                .counters = &counters_},
      options_.min_lease_ttl_seconds,
      [this](Revision revision) { compactions_.Finished(revision); });
  return alarms_.Restore(*store_);
}

Status NodeImpl::Replay(const DataDir& dir) {
  uint64_t replayed = 0;
  for (const raft::Entry& entry : dir.entries) {
    if (entry.index > dir.applied) {
      RETURN_IF_ERROR(applier_->Replay(entry));
      ++replayed;
    } else {
      // The backend has it; who is in the cluster is known from the log alone.
      ASSIGN_OR_RETURN(const Command command, DecodeCommand(entry));
      RETURN_IF_ERROR(cluster_.Apply(command, /*store=*/nullptr));
    }
  }
  world_.logger->Info("replayed the log",
                      {{"entries", replayed},
                       {"raft-snapshot-index", dir.snapshot_index.value()},
                       {"last-index", dir.last_index.value()},
                       {"revision", store_->revision().value()}});
  return Status::Ok();
}

Status NodeImpl::Start(DataDir dir) {
  RETURN_IF_ERROR(OpenStore(&dir));
  RETURN_IF_ERROR(Replay(dir));
  const Opening opening(options_, dir, cluster_.membership(), &ids_);
  RETURN_IF_ERROR(opening.WriteTo(dir.wal.get()));
  for (const raft::Entry& entry : opening.entries()) {
    RETURN_IF_ERROR(applier_->Replay(entry));
  }
  const LogPosition position{.term = opening.term(),
                             .last_index = opening.entries().back().index};
  StateMachine* const self = this;
  replicator_ = std::make_unique<LocalReplicator>(
      member_id_, position, std::move(dir.wal), options_.max_wals,
      options_.durability, self, world_.loop, world_.logger, &counters_);
  log_ = replicator_.get();
  if (options_.backend != BackendKind::kMem) {
    snapshotter_ = std::make_unique<Snapshotter>(
        options_, world_, level_, store_.get(), &cluster_, replicator_.get(),
        dir.snapshot_index, &counters_);
  }
  // From here on there are proposals, these two's own.
  compactor_ = std::make_unique<AutoCompactor>(
      options_.auto_compaction, world_.loop,
      AutoCompactor::Store{[this] { return store_->revision(); },
                           [this](Revision revision, auto done) {
                             ProposeCompaction(revision, std::move(done));
                           }},
      world_.logger);
  compactor_->Start();
  lessor_.Promote(store_->leases().List(), kLeaseExtension);
  world_.logger->Info("opened the data directory",
                      {{"data-dir", options_.data_dir},
                       {"member-id", HexId(member_id_.value())},
                       {"cluster-id", HexId(cluster_id_.value())},
                       {"etcd-level", level_.ToString()},
                       {"raft-term", position.term.value()},
                       {"revision", store_->revision().value()}});
  return Status::Ok();
}

void NodeImpl::Propose(etcdserverpb::InternalRaftRequest* request,
                       std::function<void(StatusOr<ApplyResult>)> reply) {
  request->mutable_header()->set_id(ids_.Next());
  auto proposal = std::make_unique<Proposal>();
  proposal->request = request;
  proposal->bytes = request->ByteSizeLong();
  proposal->reply = std::move(reply);
  proposal->proposed = world_.loop->Now();
  const uint64_t tail_bytes = store_->tail_bytes();
  if (proposal->bytes > options_.max_request_bytes) {
    proposal->reply(errors::RequestTooLarge());
  } else if (!WithinQuota(*request, tail_bytes)) {
    RaiseNoSpace([reply = std::move(proposal->reply)](const Status&) {
      reply(errors::NoSpace());
    });
  } else if (tail_bytes > limits::kTailBytesMax) {
    proposal->reply(errors::TooManyRequests());
  } else {
    replicator_->Propose(std::move(proposal));
  }
}

void NodeImpl::ProposeOwn(const Request& request,
                          std::function<void(Status)> done) {
  Propose(request.get(),
          [request, done = std::move(done)](
              const StatusOr<ApplyResult>& result) { done(result.status()); });
}

void NodeImpl::ProposeRevoke(LeaseId id, std::function<void(Status)> done) {
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
  request->mutable_lease_revoke()->set_id(id.value());
  ProposeOwn(request, std::move(done));
}

void NodeImpl::ProposeCompaction(Revision revision,
                                 std::function<void(Status)> done) {
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
  request->mutable_compaction()->set_revision(revision.value());
  ProposeOwn(request, std::move(done));
}

int64_t NodeImpl::Quota() const {
  return options_.quota_backend_bytes != 0 ? options_.quota_backend_bytes
                                           : kDefaultQuotaBytes;
}

// The data that are there, not the space that the file takes, count; what was
// not yet flushed too.
bool NodeImpl::WithinQuota(const etcdserverpb::InternalRaftRequest& request,
                           uint64_t tail_bytes) const {
  const int64_t quota = Quota();
  if (quota < 0) return true;
  const uint64_t cost = QuotaCost(request);
  if (cost == 0) return true;
  const BackendSizes sizes = store_->Sizes();
  const uint64_t live = sizes.in_use_bytes - sizes.pending_bytes + tail_bytes;
  return live + cost < static_cast<uint64_t>(quota);
}

void NodeImpl::RaiseNoSpace(std::function<void(Status)> done) {
  if (alarms_.IsRaised({member_id_, etcdserverpb::NOSPACE})) {
    return done(Status::Ok());
  }
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
  request->mutable_alarm()->set_action(etcdserverpb::AlarmRequest::ACTIVATE);
  request->mutable_alarm()->set_memberid(member_id_.value());
  request->mutable_alarm()->set_alarm(etcdserverpb::NOSPACE);
  world_.logger->Warn("the quota is exceeded: raising the NOSPACE alarm",
                      {{"in-use-bytes", store_->Sizes().in_use_bytes}});
  ProposeOwn(request, std::move(done));
}

StatusOr<Duration> NodeImpl::LeaseTimeLeft(LeaseId id) const {
  const std::optional<Duration> left = lessor_.Remaining(id);
  if (!left.has_value()) return errors::LeaseNotFound();
  return *left;
}

void NodeImpl::Apply(std::span<const CommittedEntry> entries) {
  Time began = world_.loop->Now();
  for (const CommittedEntry& entry : entries) {
    if (!applier_->damage().ok()) {
      entry.proposal->reply(applier_->damage());
      continue;
    }
    StatusOr<ApplyResult> result =
        applier_->Apply(*entry.proposal->request, entry.index, entry.term);
    if (!applier_->damage().ok()) Fail(applier_->damage());
    began = Applied(entry, began, result.status());
    entry.proposal->reply(std::move(result));
  }
  watch_hub_->Published();
  if (snapshotter_ != nullptr && applier_->damage().ok()) {
    snapshotter_->Applied(entries.back().index, entries.back().term);
  }
}

// Tells of it if it took long. Returns the time, when the next one begins.
Time NodeImpl::Applied(const CommittedEntry& entry, Time began,
                       const Status& status) {
  const Time now = world_.loop->Now();
  const Proposal& proposal = *entry.proposal;
  const auto describe = [&] { return DescribeRequest(*proposal.request); };
  if (slow_log_.IsSlow(now - began)) {
    slow_log_.ApplyTook(now - began, "", status, describe);
  }
  if (slow_log_.IsSlow(now - proposal.proposed)) {
    slow_log_.RequestTook(
        now - proposal.proposed,
        {{"waited for the batch before",
          proposal.batch_began - proposal.proposed},
         {"written to the log and synced",
          proposal.logged - proposal.batch_began},
         {"waited for the rest of its batch", began - proposal.logged},
         {"applied", now - began}},
        describe);
  }
  return now;
}

NodeStats NodeImpl::stats() const {
  const Lessor::Counts leases = lessor_.counts();
  return {.store = store_->stats(),
          .log_bytes = counters_.log_bytes.load(std::memory_order_relaxed),
          .log_sync = counters_.log_sync.Read(),
          .snap_save = counters_.snap_save.Read(),
          .proposals_pending = replicator_->GetStatus().pending,
          .proposals_failed =
              counters_.proposals_failed.load(std::memory_order_relaxed),
          .slow_applies = slow_log_.slow_applies(),
          .quota_bytes = Quota(),
          .leases_granted =
              counters_.leases_granted.load(std::memory_order_relaxed),
          .leases_revoked =
              counters_.leases_revoked.load(std::memory_order_relaxed),
          .leases_renewed = leases.renewed,
          .leases_expired = leases.expired,
          .lease_ttl = counters_.lease_ttl.Read()};
}

void NodeImpl::Fail(const Status& status) {
  world_.logger->Error("cannot go on", {{"error", status}});
  world_.on_fatal(status);
}

Status NodeImpl::Stop() {
  replicator_->Stop();
  // What they propose is refused by now; nothing of theirs may run later.
  compactor_.reset();
  lessor_.Stop();
  if (snapshotter_ != nullptr) snapshotter_->Stop();
  return store_->Close();
}

}  // namespace

StatusOr<std::unique_ptr<Node>> Node::Open(const NodeOptions& options,
                                           const NodeWorld& world) {
  ASSIGN_OR_RETURN(DataDir dir, OpenDataDir(options, world));
  auto node = std::make_unique<NodeImpl>(options, world, &dir);
  RETURN_IF_ERROR(node->Start(std::move(dir)));
  return node;
}

}  // namespace strata
