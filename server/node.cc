#include <future>
#include <utility>

#include "base/bytes.h"
#include "server/command.h"
#include "server/errors.h"
#include "server/local_replicator.h"
#include "server/node_impl.h"
#include "server/opening.h"

namespace strata {
namespace {

// Added to every lease's time when its clock starts anew: its client could not
// renew it meanwhile. etcd's default election timeout.
constexpr Duration kLeaseExtension = std::chrono::seconds(1);

Status CheckBackend(const NodeOptions& options) {
  if (options.backend == BackendKind::kBtree) return Status::Ok();
  return UnimplementedError(
      "members of a cluster keep their data in a btree: --backend " +
      std::string(BackendName(options.backend)) + " is for single members");
}

}  // namespace

NodeImpl::NodeImpl(const NodeOptions& options, const NodeWorld& world,
                   DataDir* dir)
    : options_(options),
      world_(world),
      member_id_(dir->member),
      cluster_id_(dir->cluster),
      level_(dir->level),
      slow_log_(options.warning_apply_duration, world.loop, world.logger),
      ids_(dir->member, world.loop->WallNow()),
      cluster_(dir->snapshot_membership, options.max_learners),
      lessor_(
          world.loop,
          [this](LeaseId id, auto done) { ProposeRevoke(id, std::move(done)); },
          MakeCheckpointer()) {}

StoreOptions NodeImpl::MakeStoreOptions() {
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
  return options;
}

Status NodeImpl::OpenStore(DataDir* dir) {
  ASSIGN_OR_RETURN(store_, Store::Open(std::move(dir->backend),
                                       MakeStoreOptions(), world_.logger));
  if (!dir->alone || world_.transport != nullptr) {
    auto replaceable = std::make_unique<ReplaceableStore>(
        std::move(store_), options_.bugs.watch_skips_at_install);
    replaceable_ = replaceable.get();
    store_ = std::move(replaceable);
  }
  watch_hub_ = WatchHub::New(
      store_.get(),
      world_.watch_pump != nullptr ? world_.watch_pump : world_.background,
      {.level = level_,
       .progress_interval = options_.watch_progress_interval,
       .random_seed = ids_.Next()},
      world_.logger);
  applier_ = std::make_unique<Applier>(
      AppliedTo{
          .store = store_.get(),
          .cluster = &cluster_,
          .alarms = &alarms_,
          .lessor = &lessor_,
          .counters = &counters_,
          .min_lease_ttl_seconds = options_.min_lease_ttl_seconds,
          .persist_lease_checkpoints = options_.persist_lease_checkpoints},
      [this](Revision revision) { compactions_.Finished(revision); });
  RETURN_IF_ERROR(cluster_.Restore(*store_));
  return alarms_.Restore(*store_);
}

Status NodeImpl::Replay(const DataDir& dir) {
  uint64_t replayed = 0;
  Command command;
  for (const raft::Entry& entry : dir.entries) {
    if (entry.index > dir.applied) {
      RETURN_IF_ERROR(applier_->Replay(entry));
      ++replayed;
    } else {
      // The backend has it; who is in the cluster is known from the log alone.
      RETURN_IF_ERROR(DecodeCommand(entry, &command));
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
  RETURN_IF_ERROR(dir.alone ? StartAlone(&dir) : StartMember(&dir));
  const ReplicatorStatus status = replicator_->GetStatus();
  world_.logger->Info("opened the data directory",
                      {{"data-dir", options_.data_dir},
                       {"member-id", HexId(member_id_.value())},
                       {"cluster-id", HexId(cluster_id_.value())},
                       {"etcd-level", level_.ToString()},
                       {"raft-term", status.term.value()},
                       {"revision", store_->revision().value()}});
  return Status::Ok();
}

Status NodeImpl::StartAlone(DataDir* dir) {
  RETURN_IF_ERROR(Replay(*dir));
  const Opening opening(options_, *dir, cluster_.membership(), &ids_);
  RETURN_IF_ERROR(opening.WriteTo(dir->wal.get()));
  for (const raft::Entry& entry : opening.entries()) {
    RETURN_IF_ERROR(applier_->Replay(entry));
  }
  const LogPosition position{.term = opening.term(),
                             .last_index = opening.entries().back().index};
  ReplicatedMachine* const self = this;
  replicator_ = std::make_unique<LocalReplicator>(
      member_id_, position, std::move(dir->wal), options_.max_wals,
      options_.durability, self, world_.loop, world_.logger, &counters_);
  log_ = replicator_.get();
  applied_ = position.last_index;
  applied_term_ = position.term;
  StartWorkers(dir->snapshot_index);
  lessor_.Promote(store_->leases().List(), kLeaseExtension);
  return Status::Ok();
}

// What the backend has, of the cluster: the log alone says it.
Status NodeImpl::ReplayMembers(const DataDir& dir, LogIndex applied) {
  applied_ = dir.snapshot_index;
  applied_term_ = dir.snapshot_term;
  Command command;
  for (const raft::Entry& entry : dir.entries) {
    if (entry.index > applied) break;
    RETURN_IF_ERROR(DecodeCommand(entry, &command));
    RETURN_IF_ERROR(cluster_.Apply(command, /*store=*/nullptr));
    applied_ = entry.index;
    applied_term_ = entry.term;
  }
  return Status::Ok();
}

// The rest of the log is not replayed here: raft hands out what is committed.
Status NodeImpl::StartMember(DataDir* dir) {
  RETURN_IF_ERROR(CheckBackend(options_));
  LogIndex applied = dir->applied;
  if (options_.bugs.replay_applied_entries) applied = dir->snapshot_index;
  if (options_.bugs.skip_entries_at_restart) {
    applied = std::max(applied, dir->hard_state.commit);
  }
  RETURN_IF_ERROR(ReplayMembers(*dir, applied));
  if (options_.join) {
    for (const MemberRecord& member : options_.join->members) {
      if (member.id != member_id_) {
        world_.transport->SetPeer(member.id, member.peer_urls);
      }
    }
  }
  SetPeers(cluster_.membership());
  RaftReplicator::Options options;
  options.start = {.hard_state = dir->hard_state,
                   .applied = applied,
                   .conf_state = cluster_.conf_state()};
  options.log_before = dir->snapshot_index;
  options.log_before_term = dir->snapshot_term;
  options.entries = std::move(dir->entries);
  auto replicator = MakeRaft(std::move(options), std::move(dir->wal));
  raft_ = replicator.get();
  replicator_ = std::move(replicator);
  log_ = replicator_.get();
  StartWorkers(dir->snapshot_index);
  StartChecker();
  // All of it happens on the loop: what is committed is applied soon, not yet.
  world_.loop->Post([this] {
    raft()->Start();
    Publish();
    WatchVersions();
    checker_->Start();
  });
  return Status::Ok();
}

std::unique_ptr<RaftReplicator> NodeImpl::MakeRaft(
    RaftReplicator::Options options, std::unique_ptr<Wal> wal) {
  options.self = member_id_;
  options.heartbeat_interval = options_.heartbeat_interval;
  options.election_timeout = options_.election_timeout;
  options.pre_vote = options_.pre_vote;
  options.election_tick_advance = options_.initial_election_tick_advance;
  options.random_seed = ids_.Next() ^ world_.random_seed;
  options.max_wals = options_.max_wals;
  options.snap_directory = DataPaths(options_).snap;
  options.conf_state_in_log = level_.StoresConfState();
  options.raft_bugs = options_.raft_bugs;
  options.bugs = options_.bugs;
  ReplicatedMachine* const self = this;
  return std::make_unique<RaftReplicator>(
      std::move(options),
      RaftReplicator::World{.env = world_.env,
                            .loop = world_.loop,
                            .log = world_.log,
                            .transport = world_.transport,
                            .logger = world_.logger,
                            .counters = &counters_},
      std::move(wal), self);
}

void NodeImpl::WhenMember(std::function<void(const Status&)> done) {
  if (raft() != nullptr) return done(Status::Ok());
  if (const Status status = CheckTransport(); !status.ok()) {
    return done(status);
  }
  world_.loop->Post([this, done = std::move(done)] { done(BecomeMember()); });
}

// A log of one member is a raft log, so raft goes on where it ends. Nobody has
// to be asked: it leads as soon as its own vote is on the disk.
Status NodeImpl::BecomeMember() {
  if (raft() != nullptr) return Status::Ok();
  if (stays_alone_) return errors::Stopped();
  RETURN_IF_ERROR(CheckBackend(options_));
  auto* const local = static_cast<LocalReplicator*>(replicator_.get());
  RETURN_IF_ERROR(
      local->HandOver([this](std::unique_ptr<Wal> wal, LogPosition at) {
        RaftReplicator::Options options;
        options.start = {.hard_state = {.term = at.term,
                                        .vote = member_id_,
                                        .commit = at.last_index},
                         .applied = at.last_index,
                         .conf_state = cluster_.conf_state()};
        options.log_before = at.last_index;
        options.log_before_term = at.term;
        grown_ = MakeRaft(std::move(options), std::move(wal));
        return grown_.get();
      }));
  was_alone_ = true;
  raft_ = grown_.get();
  world_.logger->Info("from now on others can be added to this member");
  StartChecker();
  raft()->Start();
  WatchVersions();
  checker_->Start();
  return Status::Ok();
}

// From here on there are proposals, these two's own.
void NodeImpl::StartWorkers(LogIndex snapshot_index) {
  if (options_.backend != BackendKind::kMem) {
    snapshotter_ = std::make_unique<Snapshotter>(
        options_, world_, level_, store_.get(), &cluster_, replicator_.get(),
        snapshot_index, &counters_);
  }
  compactor_ = std::make_unique<AutoCompactor>(
      options_.auto_compaction, world_.loop,
      AutoCompactor::Store{[this] { return store_->revision(); },
                           [this](Revision revision, auto done) {
                             ProposeCompaction(revision, std::move(done));
                           }},
      world_.logger);
  compactor_->Start();
}

void NodeImpl::StartChecker() {
  checker_ = std::make_unique<CorruptionChecker>(
      options_.corruption_check,
      CorruptionChecker::World{
          .self = member_id_,
          .loop = world_.loop,
          .worker = world_.helper != nullptr ? world_.helper : world_.flusher,
          .store = store_.get(),
          .logger = world_.logger,
          .leads = [this] { return ReignTerm() != Term(); },
          .others =
              [this] {
                std::vector<MemberId> others;
                for (const auto& [id, member] : membership().members) {
                  if (id != member_id_) others.push_back(id);
                }
                return others;
              },
          .hashes_compact_revision = level_.HashesCompactRevision(),
          .ask =
              [client = world_.leader_client](MemberId member,
                                              Revision revision, auto reply) {
                if (client == nullptr) return reply(errors::NotCapable());
                client->HashKv(member, revision, std::move(reply));
              },
          .read_index =
              [this](auto done) { replicator_->ReadIndex(std::move(done)); },
          .raise = [this](MemberId member) { RaiseCorrupt(member); }});
}

void NodeImpl::Later(Duration delay, std::function<void()> function) {
  if (stopping_) return;
  const auto id = std::make_shared<Loop::TimerId>();
  *id = world_.loop->After(delay, [this, id, function = std::move(function)] {
    timers_.erase(*id);
    if (!stopping_) function();
  });
  timers_.insert(*id);
}

// So that the others need not find out by an election timeout.
void NodeImpl::HandOver() {
  std::promise<MemberId> successor;
  world_.loop->Post([&] { successor.set_value(raft()->BestSuccessor()); });
  const MemberId to = successor.get_future().get();
  if (to == MemberId()) return;
  const auto moved = std::make_shared<std::promise<Status>>();
  raft()->MoveLeader(
      to, [moved](const Status& status) { moved->set_value(status); });
  moved->get_future().wait_for(options_.election_timeout);
}

NodeStats NodeImpl::stats() const {
  const Lessor::Counts leases = lessor_.counts();
  return {.store = store_->stats(),
          .log_bytes = counters_.log_bytes.load(std::memory_order_relaxed),
          .log_sync = counters_.log_sync.Read(),
          .snap_save = counters_.snap_save.Read(),
          .leader_changes = raft() == nullptr ? 1  // itself
                                              : counters_.leader_changes.load(
                                                    std::memory_order_relaxed),
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

Status NodeImpl::Stop() {
  if (world_.transport != nullptr) {
    std::promise<void> decided;
    world_.loop->Post([&] {
      stays_alone_ = true;
      decided.set_value();
    });
    decided.get_future().wait();
  }
  if (raft() != nullptr) {
    HandOver();
    std::promise<void> done;
    world_.loop->Post([&] {
      stopping_ = true;
      for (const Loop::TimerId timer : timers_) world_.loop->Cancel(timer);
      done.set_value();
    });
    done.get_future().wait();
    checker_->Stop();
  }
  replicator_->Stop();
  // What they propose is refused by now; nothing of theirs may run later.
  compactor_.reset();
  lessor_.Stop();
  if (snapshotter_ != nullptr) snapshotter_->Stop();
  return store_->Close();
}

StatusOr<std::unique_ptr<Node>> Node::Open(const NodeOptions& options,
                                           const NodeWorld& world) {
  ASSIGN_OR_RETURN(DataDir dir, OpenDataDir(options, world));
  auto node = std::make_unique<NodeImpl>(options, world, &dir);
  RETURN_IF_ERROR(node->Start(std::move(dir)));
  return node;
}

}  // namespace strata
