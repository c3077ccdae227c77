#include "server/raft_replicator.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/combining_loop.h"
#include "base/limits.h"
#include "rpc/proto/raft_internal.pb.h"
#include "server/errors.h"
#include "server/incoming_snapshot.h"

// What comes in: from clients, from other members, from the clock. What goes
// out is in raft_shell.cc.
namespace strata {
namespace {

// Of what comes in while the loop is busy with what came before.
constexpr int kMaxRounds = 8;
// A quorum that is so near is worth waiting for.
constexpr Duration kQuickQuorum = std::chrono::milliseconds(2);
// What messages may wait for the loop; more are dropped, as a network may.
constexpr uint64_t kMaxInboxBytes = 64 << 20;
constexpr uint64_t kMaxInboxMessages = 8192;
// As etcd: five seconds, and two elections.
constexpr Duration kPatience = std::chrono::seconds(5);
// As etcd: for so long after the start the others may still turn up.
constexpr Duration kAdvancePatience = std::chrono::seconds(5);
// As etcd: what is left for a leader to be heard of.
constexpr uint32_t kTicksLeft = 2;

uint32_t ElectionTicks(const RaftReplicator::Options& options) {
  return static_cast<uint32_t>(std::max<int64_t>(
      2, options.election_timeout /
             std::max(options.heartbeat_interval,
                      Duration(std::chrono::milliseconds(1)))));
}

raft::RaftOptions MakeRaftOptions(const RaftReplicator::Options& options) {
  return {.id = options.self,
          .election_ticks = ElectionTicks(options),
          .heartbeat_ticks = 1,
          .random_seed = options.random_seed,
          .pre_vote = options.pre_vote,
          .apply_unpersisted = options.bugs.apply_before_persisted,
          // RaftLog has them all.
          .cache_bytes = 0,
          .planted_bugs = options.raft_bugs};
}

// A v2 request is known by an id of its own, as in etcd.
uint64_t IdOf(const Proposal& proposal) {
  if (proposal.conf_change) return proposal.conf_change->id;
  return proposal.request->has_v2() ? proposal.request->v2().id()
                                    : proposal.request->header().id();
}

// A v2 request is logged bare, as etcd 3.4 and 3.5 do.
std::string Encode(const etcdserverpb::InternalRaftRequest& request) {
  return request.has_v2() ? request.v2().SerializeAsString()
                          : request.SerializeAsString();
}

}  // namespace

RaftReplicator::RaftReplicator(Options options, const World& world,
                               std::unique_ptr<Wal> wal,
                               ReplicatedMachine* machine)
    : options_(std::move(options)),
      world_(world),
      machine_(machine),
      log_(options_.log_before, options_.log_before_term,
           std::exchange(options_.entries, {}), options_.max_log_bytes,
           [machine] { return machine->Applied(); }),
      raft_(MakeRaftOptions(options_), options_.start, &log_),
      applied_(options_.start.applied) {
  writer_ = std::make_unique<LogWriter>(
      std::move(wal),
      LogWriter::Options{
          .env = world_.env,
          .log = world_.log,
          .node = world_.loop,
          .logger = world_.logger,
          .counters = world_.counters,
          .snap_directory = options_.snap_directory,
          .last_index = log_.LastIndex(),
          .hard_state = options_.start.hard_state,
          .conf_state_in_log = options_.conf_state_in_log,
          .persisted =
              [this](raft::OutputSequence sequence) {
                // The log's thread goes on with it, if it can.
                RunAfter(world_.loop, [&] {
                  RunOnLoop([this, sequence] { OnPersisted(sequence); });
                });
              },
          .failed = [this](const Status& status) { Fail(status); },
          .bugs = options_.bugs});
}

RaftReplicator::~RaftReplicator() { StopListening(); }

void RaftReplicator::StopListening() {
  if (listening_.exchange(false)) world_.transport->Stop();
}

void RaftReplicator::Start() {
  Receiver* const self = this;
  listening_ = true;
  world_.transport->Start(self);
  const raft::Configuration& members = raft_.configuration();
  if (members.voters.incoming.size() == 1 && raft_.Promotable()) {
    raft_.Campaign();  // there is nobody to wait for
  }
  Pump();
  if (options_.election_tick_advance) {
    advance_until_ = world_.loop->Now() + kAdvancePatience;
  }
  tick_ = world_.loop->After(options_.heartbeat_interval, [this] { OnTick(); });
}

// --- any thread ---

void RaftReplicator::Wake() {
  if (std::exchange(posted_, true)) return;
  world_.loop->Post([this] { Drain(); });
}

void RaftReplicator::RunOnLoop(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  inbox_.tasks.push_back(std::move(task));
  Wake();
}

void RaftReplicator::Propose(std::unique_ptr<Proposal> proposal) {
  std::unique_lock lock(mutex_);
  Status refused;
  if (stopped_) {
    refused = errors::Stopped();
  } else if (in_flight_ >= limits::kMaxPendingProposals ||
             proposal_bytes_ + proposal->bytes >
                 limits::kMaxPendingProposalBytes) {
    refused = errors::TooManyRequests();
  }
  if (!refused.ok()) {
    lock.unlock();
    return proposal->reply(std::move(refused));
  }
  ++in_flight_;
  proposal_bytes_ += proposal->bytes;
  proposals_.push_back(std::move(proposal));
  if (!gathering_) Wake();
}

void RaftReplicator::ReadIndex(std::function<void(const Status&)> done) {
  if (options_.bugs.read_locally) return done(Status::Ok());
  bool stopped = false;
  {
    const std::lock_guard lock(mutex_);
    stopped = stopped_;
    if (!stopped && inbox_.reads.size() < limits::kMaxPendingReads) {
      inbox_.reads.push_back(std::move(done));
      return Wake();
    }
  }
  done(stopped ? errors::Stopped() : errors::TooManyRequests());
}

void RaftReplicator::Receive(raft::Message message) {
  uint64_t bytes = message.context.size();
  for (const raft::Entry& entry : message.entries) {
    bytes += raft::EntryBytes(entry);
  }
  const std::lock_guard lock(mutex_);
  if (stopped_ || inbox_.messages.size() >= kMaxInboxMessages ||
      inbox_.message_bytes + bytes > kMaxInboxBytes) {
    return;
  }
  inbox_.message_bytes += bytes;
  inbox_.messages.push_back(std::move(message));
  Wake();
}

StatusOr<std::unique_ptr<IncomingSnapshot>> RaftReplicator::ReceiveSnapshot(
    raft::Message message) {
  if (!message.snapshot) return InvalidArgumentError("it has no snapshot");
  const LogIndex index = message.snapshot->metadata.index;
  return ReceiveDatabase(
      world_.env, options_.snap_directory, index, ++snapshots_come_,
      [this, message = std::move(message)] { Receive(message); });
}

void RaftReplicator::Unreachable(MemberId member) {
  RunOnLoop([this, member] { raft_.ReportUnreachable(member); });
}

void RaftReplicator::Gone(MemberId member) {
  RunOnLoop([this, member] { raft_.ReportGone(member); });
}

void RaftReplicator::RemovedHere() {
  RunOnLoop([this] { machine_->Removed(); });
}

ReplicatorStatus RaftReplicator::GetStatus() const {
  return {
      .term = Term(seen_term_.load(std::memory_order_acquire)),
      .leader = MemberId(seen_leader_.load(std::memory_order_acquire)),
      .last_index = LogIndex(seen_last_.load(std::memory_order_acquire)),
      .committed = LogIndex(seen_committed_.load(std::memory_order_acquire)),
      .pending = in_flight_.load(std::memory_order_relaxed)};
}

void RaftReplicator::MoveLeader(MemberId to,
                                std::function<void(const Status&)> done) {
  RunOnLoop([this, to, done = std::move(done)] {
    if (raft_.leader() == to) return done(Status::Ok());
    if (transfer_) return done(errors::TimedOutTransfer());
    transfer_ = Transfer{.to = to,
                         .deadline = world_.loop->Now() + kPatience +
                                     2 * options_.election_timeout,
                         .done = done};
    raft_.TransferLeadership(to);
  });
}

// --- on the loop ---

// What comes meanwhile is done at once: the disk and the others often answer
// one after another, and another thread would have to wake for the second.
void RaftReplicator::Drain() {
  for (int round = 0; round < kMaxRounds; ++round) {
    Inbox inbox;
    {
      const std::lock_guard lock(mutex_);
      posted_ = !inbox_.empty() || HasTurn();
      if (!posted_) return;
      std::swap(inbox, inbox_);
    }
    Handle(std::move(inbox));
  }
  world_.loop->Post([this] { Drain(); });
}

void RaftReplicator::Handle(Inbox inbox) {
  if (!stopping_ && !failed_) {
    for (raft::Message& message : inbox.messages) Step(std::move(message));
  }
  for (const auto& task : inbox.tasks) task();
  NoteQuorum();
  TakeProposals();
  for (auto& read : inbox.reads) AddRead(std::move(read));
  Pump();
}

// A leader's proposals gather while those before are on their way, for two
// ticks at most: they would wait for the next sync of the log anyway, and all
// members make one append of them, which also says what is committed. Where a
// quorum is far away they do not wait for it.
bool RaftReplicator::Gathers() const {
  if (!raft_.is_leader() || stopping_ || failed_) return false;
  const Duration log_waits = writer_->Waiting();
  if (log_waits > Duration::zero()) {
    return log_waits < options_.heartbeat_interval;
  }
  return quorum_is_quick_ && persisted_at_.has_value() &&
         world_.loop->Now() - *persisted_at_ < options_.heartbeat_interval;
}

bool RaftReplicator::HasTurn() {
  gathering_ = Gathers();
  return !gathering_ && !proposals_.empty();
}

// How long after our own disk had all of it, a quorum did.
void RaftReplicator::NoteQuorum() {
  if (!persisted_at_ || raft_.log().committed() < persisted_last_) return;
  quorum_is_quick_ = world_.loop->Now() - *persisted_at_ < kQuickQuorum;
  persisted_at_.reset();
}

void RaftReplicator::TakeProposals() {
  std::vector<std::unique_ptr<Proposal>> proposals;
  {
    const std::lock_guard lock(mutex_);
    if (!HasTurn()) return;
    proposals.swap(proposals_);
    proposal_bytes_ = 0;
  }
  for (auto& proposal : proposals) Add(std::move(proposal));
}

void RaftReplicator::Step(raft::Message message) {
  if (!options_.bugs.hear_removed && machine_->IsRemoved(message.from)) return;
  // What is not applied stays in memory. While the state takes no more, the
  // leader is to wait, as if we had not heard it.
  if (message.type == raft::MessageType::kAppend && !message.entries.empty() &&
      log_.bytes() > 2 * options_.max_log_bytes) {
    return;
  }
  const MemberId from = message.from;
  const Status status = raft_.Step(std::move(message));
  if (status.code() == Code::kDataLoss) return Fail(status);
  if (!status.ok()) {
    world_.logger->Debug("a message was not understood",
                         {{"from", HexId(from.value())}, {"error", status}});
  }
}

void RaftReplicator::Add(std::unique_ptr<Proposal> proposal) {
  const uint64_t id = IdOf(*proposal);
  const Time deadline =
      world_.loop->Now() + kPatience + 2 * options_.election_timeout;
  Waiting waiting{.proposal = std::move(proposal), .deadline = deadline};
  if (stopping_ || failed_) {
    waiting_.emplace(id, std::move(waiting));
    return Reply(id, errors::Stopped());
  }
  deadlines_.emplace_back(deadline, id);
  auto [at, added] = waiting_.try_emplace(id, std::move(waiting));
  CHECK(added) << "two requests with the id " << HexId(id);
  if (!Submit(id, &at->second)) parked_.push_back(id);
}

Status RaftReplicator::SubmitToRaft(const Proposal& proposal) {
  if (proposal.only_in != Term() && !options_.bugs.forward_revoke &&
      (!raft_.is_leader() || raft_.term() != proposal.only_in)) {
    return errors::NotLeader();
  }
  // Nobody would take it, and those that wait ask at every tick.
  if (raft_.leader() == MemberId()) return UnavailableError("no leader");
  return proposal.conf_change ? raft_.ProposeConfChange(*proposal.conf_change)
                              : raft_.Propose(Encode(*proposal.request));
}

bool RaftReplicator::Submit(uint64_t id, Waiting* waiting) {
  const Status status = SubmitToRaft(*waiting->proposal);
  switch (status.code()) {
    case Code::kOk:
      waiting->sent = true;
      if (raft_.is_leader()) Remember(id);
      if (options_.bugs.answer_at_append) Reply(id, ApplyResult());
      return true;
    case Code::kResourceExhausted:
      Reply(id, errors::TooManyRequests());
      return true;
    case Code::kUnavailable:
      return false;
    case Code::kFailedPrecondition:
      // One change of members at a time; this one's turn comes.
      if (waiting->proposal->conf_change) return false;
      Reply(id, status);
      return true;
    default:
      Reply(id, status);
      return true;
  }
}

// What an earlier reign had logged from here on is not known to be lost: the
// entries say so, or time.
void RaftReplicator::Remember(uint64_t id) {
  while (!own_.empty() && own_.back().index >= last_index()) own_.pop_back();
  own_.push_back({last_index(), raft_.term(), id});
}

void RaftReplicator::SubmitParked() {
  std::deque<uint64_t> parked = std::exchange(parked_, {});
  for (const uint64_t id : parked) {
    const auto at = waiting_.find(id);
    if (at == waiting_.end()) continue;
    if (!Submit(id, &at->second)) parked_.push_back(id);
  }
}

void RaftReplicator::AddRead(std::function<void(const Status&)> done) {
  if (stopping_ || failed_) return done(errors::Stopped());
  // Raft counts those that it has not answered, and not those that wait to be
  // applied.
  const raft::ReadId id = ++last_read_;
  if (reads_.size() >= limits::kMaxPendingReads || !raft_.ReadIndex(id).ok()) {
    return done(errors::TooManyRequests());
  }
  reads_[id] = {.done = std::move(done),
                .deadline = world_.loop->Now() + kPatience +
                            2 * options_.election_timeout};
}

void RaftReplicator::Reply(uint64_t id, StatusOr<ApplyResult> result) {
  const auto at = waiting_.find(id);
  if (at == waiting_.end()) return;
  const std::unique_ptr<Proposal> proposal = std::move(at->second.proposal);
  waiting_.erase(at);
  {
    const std::lock_guard lock(mutex_);
    --in_flight_;
  }
  proposal->reply(std::move(result));
}

void RaftReplicator::OnTick() {
  tick_ = world_.loop->After(options_.heartbeat_interval, [this] { OnTick(); });
  if (failed_) return;
  raft_.Tick();
  if (advance_until_) AdvanceElection();
  if (!parked_.empty()) SubmitParked();
  Expire();
  CheckDisk();
  ReportFailedSnapshots();
  ReleaseLog();
  ApplyReady();
  AnswerReads();
  CheckTransfer();
  TakeProposals();
  Pump();
}

// A leader was lost while it was waited for, or not.
Status RaftReplicator::TimeoutError() const {
  const bool lost = leader_lost_at_.has_value() &&
                    world_.loop->Now() - *leader_lost_at_ <
                        kPatience + 3 * options_.election_timeout;
  return lost ? errors::TimedOutLeaderFailed() : errors::TimedOut();
}

void RaftReplicator::Expire() {
  const Time now = world_.loop->Now();
  while (!deadlines_.empty() && deadlines_.front().first <= now) {
    const uint64_t id = deadlines_.front().second;
    deadlines_.pop_front();
    Reply(id, TimeoutError());
  }
  ExpireReads(now);
}

void RaftReplicator::ExpireReads(Time now) {
  if (reads_.empty() || reads_.begin()->second.deadline > now) return;
  while (!reads_.empty() && reads_.begin()->second.deadline <= now) {
    const auto done = std::move(reads_.begin()->second.done);
    reads_.erase(reads_.begin());
    done(errors::TimedOut());
  }
  // Their index may be long in coming.
  std::erase_if(safe_reads_, [this](const auto& safe) {
    return reads_.empty() || safe.second < reads_.begin()->first;
  });
}

void RaftReplicator::AdvanceElection() {
  if (raft_.leader() != MemberId() || world_.loop->Now() > *advance_until_) {
    return advance_until_.reset();
  }
  const raft::MemberSet& voters = raft_.configuration().voters.incoming;
  const auto reached = std::ranges::count_if(voters, [this](MemberId voter) {
    return voter == options_.self || world_.transport->Active(voter);
  });
  if (static_cast<size_t>(reached) < voters.size() / 2 + 1) return;
  advance_until_.reset();
  for (uint32_t i = kTicksLeft; i < ElectionTicks(options_); ++i) raft_.Tick();
}

// What a leader cannot write it cannot commit either once the others are slow,
// and its own share of a quorum is missing: another shall lead.
void RaftReplicator::CheckDisk() {
  if (DiskWait() < options_.election_timeout / 2 || !raft_.is_leader()) return;
  const Time now = world_.loop->Now();
  if (handed_over_at_ && now - *handed_over_at_ < options_.election_timeout) {
    return;
  }
  const MemberId to = BestSuccessor();
  if (to == MemberId()) return;
  handed_over_at_ = now;
  world_.logger->Warn("the disk is slow or full: handing over",
                      {{"to", HexId(to.value())}});
  raft_.TransferLeadership(to);
}

Duration RaftReplicator::DiskWait() {
  if (machine_->HasRoom()) {
    no_room_since_.reset();
    return writer_->Waiting();
  }
  const Time now = world_.loop->Now();
  if (!no_room_since_) no_room_since_ = now;
  return std::max(writer_->Waiting(), now - *no_room_since_);
}

MemberId RaftReplicator::BestSuccessor() const {
  if (!raft_.is_leader()) return MemberId();
  const raft::Leader& leader = std::get<raft::Leader>(raft_.role());
  MemberId best;
  LogIndex match;
  for (const raft::Peer& peer : leader.peers) {
    if (!raft_.configuration().voters.Contains(peer.id) ||
        !peer.progress.recent_active || !world_.transport->Active(peer.id)) {
      continue;
    }
    if (best == MemberId() || peer.progress.match() > match) {
      best = peer.id;
      match = peer.progress.match();
    }
  }
  return best;
}

std::optional<LogIndex> RaftReplicator::MatchOf(MemberId member) const {
  if (!raft_.is_leader()) return std::nullopt;
  const raft::Peer* const peer =
      std::get<raft::Leader>(raft_.role()).Find(member);
  if (peer == nullptr) return std::nullopt;
  return peer->progress.match();
}

void RaftReplicator::CheckTransfer() {
  if (!transfer_) return;
  const bool moved = raft_.leader() == transfer_->to;
  if (!moved && world_.loop->Now() < transfer_->deadline) return;
  const Transfer transfer = std::move(*transfer_);
  transfer_.reset();
  transfer.done(moved ? Status::Ok() : errors::TimedOutTransfer());
}

void RaftReplicator::Stop() {
  StopListening();
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  std::promise<void> refused;
  world_.loop->Post([this, &refused] {
    Drain();
    stopping_ = true;
    TakeProposals();
    if (tick_) world_.loop->Cancel(*tick_);
    while (!waiting_.empty()) {
      Reply(waiting_.begin()->first, errors::Stopped());
    }
    for (auto& [id, read] : std::exchange(reads_, {})) {
      read.done(errors::Stopped());
    }
    if (transfer_) transfer_->done(errors::Stopped());
    transfer_.reset();
    refused.set_value();
  });
  refused.get_future().wait();
  if (const Status status = writer_->Stop(); !status.ok()) {
    world_.logger->Warn("the end of the log was not written",
                        {{"error", status}});
  }
  // What it told us has been heard.
  std::promise<void> idle;
  world_.loop->Post([&idle] { idle.set_value(); });
  idle.get_future().wait();
}

}  // namespace strata
