#include "server/raft_replicator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fake_env.h"
#include "base/limits.h"
#include "base/sim_loop.h"
#include "rpc/proto/raft_internal.pb.h"

namespace strata {
namespace {

using namespace std::chrono_literals;
using etcdserverpb::InternalRaftRequest;
using raft::Message;
using raft::MessageType;

constexpr MemberId kSelf(1);
constexpr MemberId kOthers[] = {MemberId(2), MemberId(3)};
// What every member's log begins after.
constexpr LogIndex kBefore(10);
constexpr uint64_t kMaxLogBytes = 4 << 20;

// What was sent, for the test to look at.
class FakeTransport final : public Transport {
 public:
  void Start(Receiver* receiver) override { receiver_ = receiver; }
  void Stop() override {}
  void Send(std::vector<Message> messages) override {
    for (Message& message : messages) sent.push_back(std::move(message));
  }
  void SendSnapshot(OutgoingSnapshot snapshot) override {
    snapshots.push_back(std::move(snapshot));
  }
  void SetPeer(MemberId, std::vector<std::string>) override {}
  void RemovePeer(MemberId) override {}
  bool Active(MemberId) const override { return true; }

  Receiver* receiver() { return receiver_; }

  std::deque<Message> sent;
  std::vector<OutgoingSnapshot> snapshots;

 private:
  Receiver* receiver_ = nullptr;
};

// Remembers which requests were applied, and answers them.
class FakeMachine final : public ReplicatedMachine {
 public:
  void Apply(std::span<const CommittedEntry> entries) override {
    if (before_apply != nullptr) before_apply();
    for (const CommittedEntry& entry : entries) {
      at = {.index = entry.index, .term = entry.term};
      if (entry.proposal == nullptr) continue;
      applied.push_back(entry.proposal->request->header().id());
      entry.proposal->reply(ApplyResult());
    }
  }
  void Fail(const Status& status) override { failed = status; }
  Status CheckConfChange(const raft::Entry&) override { return Status::Ok(); }
  void ApplyConfChange(const raft::Entry&, const Status&) override {}
  bool HasRoom() const override { return has_room; }
  raft::SnapshotMetadata Applied() const override {
    return {.conf_state = {.voters = {kSelf, kOthers[0], kOthers[1]}},
            .index = at.index,
            .term = at.term};
  }
  void MakeSnapshot(
      Message message,
      std::function<void(StatusOr<OutgoingSnapshot>)> done) override {
    ++snapshots_asked;
    const auto make = [this, message = std::move(message),
                       done = std::move(done)] {
      if (!snapshot_error.ok()) return done(snapshot_error);
      done(OutgoingSnapshot{
          .message = message, .write_database = {}, .done = {}});
    };
    making.push_back(make);
    if (!makes_slowly) MakeAll();
  }
  void MakeAll() {
    for (const auto& make : std::exchange(making, {})) make();
  }
  void InstallSnapshot(const raft::Snapshot&,
                       std::function<void(const Status&)>) override {
    FAIL() << "nobody sends one";
  }
  void LeaderChanged(const raft::SoftState&) override {}
  void Removed() override {}
  bool IsRemoved(MemberId) const override { return false; }

  WalSnapshot at = {.index = kBefore, .term = Term(1)};
  std::vector<uint64_t> applied;
  std::function<void()> before_apply;
  Status failed;
  Status snapshot_error;
  bool has_room = true;
  int snapshots_asked = 0;
  bool makes_slowly = false;
  std::vector<std::function<void()>> making;
};

// A member that becomes the leader of three; the test is the other two.
class RaftReplicatorTest : public testing::Test {
 protected:
  RaftReplicatorTest() {
    log_->SetGate(&log_waits_, &held_);
    auto wal = Wal::Create(&env_, "/data/wal", "metadata", {}, Logger::Null());
    CHECK_OK(wal);
    (*wal)->AppendSnapshot({.index = kBefore, .term = Term(1)});
    CHECK_OK((*wal)->Sync());
    replicator_ = std::make_unique<RaftReplicator>(
        RaftReplicator::Options{
            .self = kSelf,
            .start = {.hard_state = {.term = Term(1), .commit = kBefore},
                      .applied = kBefore,
                      .conf_state = machine_.Applied().conf_state},
            .log_before = kBefore,
            .log_before_term = Term(1),
            .max_log_bytes = kMaxLogBytes},
        RaftReplicator::World{.env = &env_,
                              .loop = loop_.get(),
                              .log = log_.get(),
                              .transport = &transport_,
                              .logger = Logger::Null(),
                              .counters = &counters_},
        *std::move(wal), &machine_);
    loop_->Post([this] { replicator_->Start(); });
    Lead();
  }
  ~RaftReplicatorTest() override {
    loop_->Halt();
    log_->Halt();
  }

  // --- the others ---

  void Lead() {
    for (int i = 0; i < 100 && !replicator_->leading(); ++i) {
      world_.RunFor(100ms);
      Settle();
    }
    ASSERT_TRUE(replicator_->leading());
    ASSERT_EQ(replicator_->last_index(), kBefore + 1);
  }
  // Another one leads, and then this one again.
  void LeadAgain() {
    const Term before = replicator_->GetStatus().term;
    transport_.receiver()->Receive({.type = MessageType::kHeartbeat,
                                    .to = kSelf,
                                    .from = kOthers[0],
                                    .term = before + 1});
    Settle();
    ASSERT_FALSE(replicator_->leading());
    RunSettled(3s);
    ASSERT_TRUE(replicator_->leading());
    ASSERT_GT(replicator_->GetStatus().term, before);
  }
  // All that was said has been answered, and nothing is under way.
  void Settle() {
    int rounds = 0;
    do {
      world_.RunUntilIdle();
      ASSERT_LT(++rounds, 1000) << "it does not come to rest";
    } while (AnswerAll());
  }
  bool AnswerAll() {
    std::deque<Message> sent;
    sent.swap(transport_.sent);
    for (const Message& message : sent) Answer(message);
    return !sent.empty();
  }
  void Answer(const Message& message) {
    Message answer{.to = kSelf, .from = message.to, .term = message.term};
    switch (message.type) {
      case MessageType::kPreVote:
        answer.type = MessageType::kPreVoteResponse;
        break;
      case MessageType::kVote:
        answer.type = MessageType::kVoteResponse;
        break;
      case MessageType::kHeartbeat:
        answer.type = MessageType::kHeartbeatResponse;
        answer.context = message.context;
        break;
      case MessageType::kAppend:
        answer.type = MessageType::kAppendResponse;
        if (message.to == deaf_) {
          unheard_ = message;
          return;
        }
        answer.index = message.index + message.entries.size();
        break;
      default:
        return;  // not a question
    }
    transport_.receiver()->Receive(std::move(answer));
  }
  // The entries of each append sent to `to` since the last Settle.
  std::vector<size_t> Appends(MemberId to) const {
    std::vector<size_t> sizes;
    for (const Message& message : transport_.sent) {
      if (message.type == MessageType::kAppend && message.to == to &&
          !message.entries.empty()) {
        sizes.push_back(message.entries.size());
      }
    }
    return sizes;
  }
  // How many that only say what is committed.
  size_t Notices() const {
    return std::ranges::count_if(transport_.sent, [](const Message& message) {
      return message.type == MessageType::kAppend && message.entries.empty();
    });
  }
  // The same of both others.
  void ExpectAppends(const std::vector<size_t>& sizes) const {
    for (const MemberId to : kOthers) EXPECT_EQ(Appends(to), sizes);
  }

  // --- the log ---

  // What is being written from now on does not end before ReleaseLog.
  void HoldLog() { log_waits_ = true; }
  void ReleaseLog() {
    log_waits_ = false;
    for (SimLoop::Held& one : std::exchange(held_, {})) {
      log_->Post(std::move(one.function));
    }
  }
  uint64_t Syncs() const {
    uint64_t syncs = 0;
    for (const uint64_t count : counters_.log_sync.Read().counts) {
      syncs += count;
    }
    return syncs;
  }

  // --- clients ---

  // One that is on its way from now on: with those that come after it, nothing
  // is alone any more. Its id.
  uint64_t ProposeFirst() {
    const uint64_t id = Propose();
    world_.RunUntilIdle();
    world_.RunFor(1us);
    return id;
  }
  // Its id.
  uint64_t Propose(uint64_t bytes = 10, uint64_t counted_as = 0) {
    const uint64_t id = ++last_id_;
    InternalRaftRequest& request = requests_[id];
    request.mutable_header()->set_id(id);
    request.mutable_put()->set_key("k");
    request.mutable_put()->set_value(std::string(bytes, 'v'));
    auto proposal = std::make_unique<Proposal>();
    proposal->request = &request;
    proposal->bytes = std::max<uint64_t>(request.ByteSizeLong(), counted_as);
    proposal->reply = [this, id](const StatusOr<ApplyResult>& result) {
      EXPECT_TRUE(answers_.emplace(id, result.status()).second)
          << id << " was answered twice";
    };
    replicator_->Propose(std::move(proposal));
    return id;
  }
  std::vector<uint64_t> ProposeMany(size_t count, uint64_t bytes = 10) {
    std::vector<uint64_t> ids;
    for (size_t i = 0; i < count; ++i) ids.push_back(Propose(bytes));
    return ids;
  }
  void ExpectAllTaken(const std::vector<uint64_t>& ids) const {
    EXPECT_EQ(machine_.applied, ids) << "in the order they were made";
    for (const uint64_t id : ids) EXPECT_EQ(AnswerTo(id), Status::Ok());
  }
  Status AnswerTo(uint64_t id) const {
    const auto at = answers_.find(id);
    return at == answers_.end() ? UnavailableError("no answer") : at->second;
  }

  // --- snapshots ---

  // kOthers[1] takes no appends, and then the log has no more what it needs.
  void FallBehind() {
    deaf_ = kOthers[1];
    Propose();
    Settle();
    TakeSnapshot();
    transport_.receiver()->Unreachable(kOthers[1]);
    Settle();
  }
  // kOthers[1] says that it has nothing of the log.
  void RefuseAppend() {
    transport_.receiver()->Receive({.type = MessageType::kAppendResponse,
                                    .to = kSelf,
                                    .from = kOthers[1],
                                    .term = unheard_.term,
                                    .index = unheard_.index,
                                    .reject = true,
                                    .reject_hint = kBefore});
    Settle();
  }
  // The log need not have what was before, says the machine.
  void TakeSnapshot() {
    Status taken = UnavailableError("not called");
    replicator_->SnapshotTaken(machine_.at, machine_.at.index,
                               [&](const Status& status) { taken = status; });
    world_.RunUntilIdle();
    EXPECT_TRUE(taken.ok()) << taken;
  }
  void RunSettled(Duration time) {
    for (const Time end = world_.Now() + time; world_.Now() < end;) {
      world_.RunFor(100ms);
      Settle();
    }
  }
  // How many it was offered in each second, and took none of.
  std::vector<size_t> OffersBySecond(int seconds) {
    std::vector<size_t> offers;
    for (int i = 0; i < seconds; ++i) {
      offers.push_back(0);
      for (int tick = 0; tick < 10; ++tick) {
        world_.RunFor(100ms);
        Settle();
        offers.back() += FailSnapshots();
        Settle();
      }
    }
    return offers;
  }
  size_t FailSnapshots() {
    const auto failed = std::exchange(transport_.snapshots, {});
    for (const OutgoingSnapshot& one : failed) {
      EXPECT_EQ(one.message.to, kOthers[1]);
      one.done(false);
    }
    return failed.size();
  }
  OutgoingSnapshot NextOffer() {
    while (transport_.snapshots.empty()) {
      world_.RunFor(100ms);
      Settle();
    }
    OutgoingSnapshot next = std::move(transport_.snapshots.front());
    transport_.snapshots.clear();
    return next;
  }

  FakeEnv env_;
  SimWorld world_;
  std::unique_ptr<SimLoop> loop_ = world_.NewLoop("node");
  std::unique_ptr<SimLoop> log_ = world_.NewLoop("log");
  bool log_waits_ = false;
  std::deque<SimLoop::Held> held_;
  NodeCounters counters_;
  FakeTransport transport_;
  FakeMachine machine_;
  std::map<uint64_t, InternalRaftRequest> requests_;
  std::map<uint64_t, Status> answers_;
  uint64_t last_id_ = 0;
  MemberId deaf_;
  Message unheard_;  // the last append to it
  std::unique_ptr<RaftReplicator> replicator_;
};

// Nothing waits for company: not the log's sync, not a timer.
TEST_F(RaftReplicatorTest, AProposalThatIsAloneGoesAtOnce) {
  for (int i = 0; i < 3; ++i) {
    HoldLog();
    const Time before = world_.Now();
    const uint64_t id = Propose();
    world_.RunUntilIdle();
    ExpectAppends({1});
    EXPECT_EQ(held_.size(), 1u) << "and to the log";
    ReleaseLog();
    Settle();
    EXPECT_EQ(AnswerTo(id), Status::Ok());
    EXPECT_EQ(world_.Now(), before) << "the clock has not moved";
  }
}

// Much takes its time to apply, and the others would wait for it.
TEST_F(RaftReplicatorTest, ALittleIsAnsweredBeforeTheOthersHearOfIt) {
  for (const auto& [count, notices] : {std::pair(1, 0u), std::pair(20, 2u)}) {
    std::vector<size_t> before;
    machine_.before_apply = [&] { before.push_back(Notices()); };
    ProposeMany(count);
    world_.RunUntilIdle();
    AnswerAll();
    world_.RunUntilIdle();
    ASSERT_FALSE(before.empty());
    EXPECT_EQ(before.front(), notices);
    EXPECT_EQ(Notices(), 2u);
    Settle();
  }
}

TEST_F(RaftReplicatorTest, WhatComesWhileOneIsWrittenGathers) {
  HoldLog();
  std::vector<uint64_t> ids = {ProposeFirst()};
  const uint64_t syncs = Syncs();
  for (int i = 0; i < 50; ++i) {
    ids.push_back(Propose());
    world_.RunUntilIdle();
  }
  ExpectAppends({1});
  // The others have the first one; it still counts for nothing here.
  AnswerAll();
  world_.RunUntilIdle();
  ExpectAppends({});
  EXPECT_TRUE(machine_.applied.empty());
  ReleaseLog();
  world_.RunUntilIdle();
  ExpectAppends({50});
  EXPECT_EQ(Syncs(), syncs + 2) << "one for the first, one for all the others";
  Settle();
  ExpectAllTaken(ids);
}

// The log is quick, the others are not far: until they have what was sent.
TEST_F(RaftReplicatorTest, WhatComesBeforeAQuorumHasTheLastGathers) {
  std::vector<uint64_t> ids = {ProposeFirst()};
  for (int i = 0; i < 50; ++i) ids.push_back(Propose());
  world_.RunFor(1ms);
  ExpectAppends({1});
  AnswerAll();
  world_.RunUntilIdle();
  ExpectAppends({50});
  Settle();
  ExpectAllTaken(ids);
}

// What gathers does not wait for one that answers no more.
TEST_F(RaftReplicatorTest, GatheringEndsAfterTwoTicks) {
  const uint64_t first = ProposeFirst();
  const uint64_t second = Propose();
  world_.RunFor(50ms);
  ExpectAppends({1});
  world_.RunFor(150ms);
  EXPECT_EQ(Appends(kOthers[0]), (std::vector<size_t>{1, 1}));
  AnswerAll();
  Settle();
  ExpectAllTaken({first, second});
}

TEST_F(RaftReplicatorTest, NothingGathersForALogThatIsStuck) {
  HoldLog();
  const uint64_t first = ProposeFirst();
  const uint64_t second = Propose();
  world_.RunFor(50ms);
  ExpectAppends({1});
  world_.RunFor(150ms);
  EXPECT_EQ(Appends(kOthers[0]), (std::vector<size_t>{1, 1}));
  ReleaseLog();
  Settle();
  ExpectAllTaken({first, second});
}

// Where the others are far away, waiting for them would cost more than it
// gives.
TEST_F(RaftReplicatorTest, NothingGathersForAQuorumThatIsFar) {
  std::vector<uint64_t> ids = {Propose()};
  world_.RunFor(10ms);
  Settle();
  ids.push_back(Propose());
  world_.RunUntilIdle();
  ids.push_back(Propose());
  world_.RunUntilIdle();
  ExpectAppends({1, 1});
  Settle();
  ExpectAllTaken(ids);
}

TEST_F(RaftReplicatorTest, WhatGathersIsBoundedByCount) {
  HoldLog();
  std::vector<uint64_t> ids = {ProposeFirst()};
  const auto more = ProposeMany(limits::kMaxPendingProposals - 1);
  ids.insert(ids.end(), more.begin(), more.end());
  EXPECT_EQ(replicator_->GetStatus().pending, limits::kMaxPendingProposals);
  const uint64_t refused = Propose();
  EXPECT_EQ(AnswerTo(refused).message(), "etcdserver: too many requests");
  AnswerAll();
  ReleaseLog();
  world_.RunUntilIdle();
  ExpectAppends({limits::kMaxPendingProposals - 1});
  Settle();
  ExpectAllTaken(ids);
  EXPECT_EQ(replicator_->GetStatus().pending, 0u);
  EXPECT_EQ(AnswerTo(Propose()).code(), Code::kUnavailable) << "it is taken on";
}

TEST_F(RaftReplicatorTest, WhatGathersIsBoundedByBytes) {
  HoldLog();
  std::vector<uint64_t> ids = {ProposeFirst()};
  constexpr uint64_t kThird = limits::kMaxPendingProposalBytes / 3;
  for (int i = 0; i < 3; ++i) ids.push_back(Propose(10, kThird));
  const uint64_t refused = Propose(10, kThird);
  EXPECT_EQ(AnswerTo(refused).message(), "etcdserver: too many requests");
  ReleaseLog();
  Settle();
  ExpectAllTaken(ids);
  ids.push_back(Propose(10, kThird));
  Settle();
  ExpectAllTaken(ids);
}

// One sync, but no append above the bound of one.
TEST_F(RaftReplicatorTest, ALargeBatchIsSeveralAppends) {
  HoldLog();
  std::vector<uint64_t> ids = {ProposeFirst()};
  const uint64_t syncs = Syncs();
  const auto more = ProposeMany(50, 100'000);
  ids.insert(ids.end(), more.begin(), more.end());
  AnswerAll();
  ReleaseLog();
  world_.RunUntilIdle();
  uint64_t entries = 0;
  for (const Message& message : transport_.sent) {
    if (message.to != kOthers[0] || message.type != MessageType::kAppend) {
      continue;
    }
    uint64_t bytes = 0;
    for (const raft::Entry& entry : message.entries) bytes += entry.data.size();
    EXPECT_LE(bytes, limits::kMaxAppendBytes);
    entries += message.entries.size();
  }
  EXPECT_EQ(entries, more.size());
  EXPECT_EQ(Syncs(), syncs + 2);
  Settle();
  ExpectAllTaken(ids);
}

TEST_F(RaftReplicatorTest, AFailedLogIsToldToAllThatGathered) {
  HoldLog();
  std::vector<uint64_t> ids = {ProposeFirst()};
  const auto more = ProposeMany(20);
  ids.insert(ids.end(), more.begin(), more.end());
  env_.Inject({.operation = DiskOperation::kSync, .count = 1});
  ReleaseLog();
  Settle();
  EXPECT_FALSE(machine_.failed.ok());
  for (const uint64_t id : ids) {
    EXPECT_TRUE(answers_.contains(id)) << id;
    EXPECT_FALSE(AnswerTo(id).ok()) << id;
  }
  EXPECT_TRUE(machine_.applied.empty());
}

// They go to the new leader, as those of any follower.
TEST_F(RaftReplicatorTest, WhatGatheredOutlivesTheReign) {
  HoldLog();
  ProposeFirst();
  const auto ids = ProposeMany(20);
  world_.RunUntilIdle();
  transport_.sent.clear();
  const Term next = replicator_->GetStatus().term + 1;
  transport_.receiver()->Receive({.type = MessageType::kHeartbeat,
                                  .to = kSelf,
                                  .from = kOthers[0],
                                  .term = next});
  world_.RunUntilIdle();
  EXPECT_FALSE(replicator_->leading());
  std::vector<uint64_t> forwarded;
  for (const Message& message : transport_.sent) {
    if (message.type != MessageType::kPropose) continue;
    EXPECT_EQ(message.to, kOthers[0]);
    for (const raft::Entry& entry : message.entries) {
      InternalRaftRequest request;
      ASSERT_TRUE(request.ParseFromString(entry.data));
      forwarded.push_back(request.header().id());
    }
  }
  EXPECT_EQ(forwarded, ids);
  // Nobody hears of them: each is told so, once.
  transport_.sent.clear();
  world_.RunFor(10s);
  for (const uint64_t id : ids) {
    EXPECT_EQ(AnswerTo(id).code(), Code::kUnavailable) << AnswerTo(id);
    EXPECT_TRUE(answers_.contains(id));
  }
}

// What raft has answered waits until it is applied; that may be never.
TEST_F(RaftReplicatorTest, ReadsThatWaitAreBounded) {
  machine_.has_room = false;
  Propose();
  Settle();
  using Answers = std::map<std::string, uint64_t>;
  Answers answers;
  const auto read = [&](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      replicator_->ReadIndex([&answers](const Status& status) {
        ++answers[std::string(status.message())];
      });
    }
  };
  read(limits::kMaxPendingReads + 1);
  Settle();
  EXPECT_EQ(std::exchange(answers, {}),
            (Answers{{"etcdserver: too many requests", 1}}));
  read(10);
  Settle();
  EXPECT_EQ(std::exchange(answers, {}),
            (Answers{{"etcdserver: too many requests", 10}}));
  RunSettled(10s);
  EXPECT_EQ(
      std::exchange(answers, {}),
      (Answers{{"etcdserver: request timed out", limits::kMaxPendingReads}}));
  // There is room again, and only the living are answered.
  read(10);
  Settle();
  machine_.has_room = true;
  RunSettled(1s);
  EXPECT_EQ(answers, (Answers{{"", 10}}));
}

// It does not pile up what it cannot apply, and goes on when it can.
TEST_F(RaftReplicatorTest, AFollowerWhoseStateIsStuckTakesNoMoreOfTheLog) {
  const Term term = replicator_->GetStatus().term + 1;
  const auto append = [&] {
    const LogIndex last = replicator_->last_index();
    transport_.receiver()->Receive(
        {.type = MessageType::kAppend,
         .to = kSelf,
         .from = kOthers[0],
         .term = term,
         .log_term = *replicator_->TermAt(last),
         .index = last,
         .entries = {{.term = term,
                      .index = last + 1,
                      .data = std::string(1 << 20, 'x')}},
         .commit = last});
    Settle();
    return replicator_->last_index() > last;
  };
  machine_.has_room = false;
  uint64_t taken = 0;
  while (taken < 100 && append()) ++taken;
  EXPECT_EQ(taken << 20, 2 * kMaxLogBytes);
  machine_.has_room = true;
  world_.RunFor(200ms);
  Settle();
  EXPECT_TRUE(append());
}

size_t Sum(const std::vector<size_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), size_t{0});
}

TEST_F(RaftReplicatorTest, ASnapshotThatFailsIsOfferedMoreAndMoreSeldom) {
  FallBehind();
  const std::vector<size_t> first = OffersBySecond(15);
  EXPECT_GE(first[0], 2u);
  // 100 ms doubled up to 5 s, and what a heartbeat takes.
  EXPECT_GE(Sum(first), 6u);
  EXPECT_LE(Sum(first), 8u);
  const size_t late = Sum(OffersBySecond(21));
  EXPECT_GE(late, 4u) << "it does not give up";
  EXPECT_LE(late, 5u);
}

TEST_F(RaftReplicatorTest, OneThatCannotBeMadeWaitsAsLong) {
  machine_.snapshot_error = ResourceExhaustedError("no room");
  FallBehind();
  OffersBySecond(10);
  const int tries = machine_.snapshots_asked;
  EXPECT_GE(tries, 5);
  EXPECT_LE(tries, 8);
  machine_.snapshot_error = Status::Ok();
  EXPECT_EQ(Sum(OffersBySecond(6)), 1u);
}

TEST_F(RaftReplicatorTest, ASnapshotThatWasTakenEndsThePauses) {
  FallBehind();
  OffersBySecond(10);
  NextOffer().done(true);
  RunSettled(LogHolds::kAfterwards);
  FallBehind();
  EXPECT_GE(OffersBySecond(1)[0], 2u);
}

// A large one takes long, and the log goes on.
TEST_F(RaftReplicatorTest, WhatFollowsASnapshotIsKeptForIt) {
  for (const bool in_time : {true, false}) {
    FallBehind();
    const OutgoingSnapshot offer = NextOffer();
    for (int i = 0; i < 20; ++i) {
      Propose();
      Settle();
    }
    TakeSnapshot();
    offer.done(true);
    RunSettled(in_time ? 25s : 35s);
    deaf_ = MemberId();
    transport_.receiver()->Receive(
        {.type = MessageType::kAppendResponse,
         .to = kSelf,
         .from = kOthers[1],
         .term = replicator_->GetStatus().term,
         .index = offer.message.snapshot->metadata.index});
    Settle();
    EXPECT_EQ(transport_.snapshots.empty(), in_time);
    EXPECT_EQ(replicator_->MatchOf(kOthers[1]) == replicator_->last_index(),
              in_time);
    transport_.snapshots.clear();
  }
}

// The log does not keep more than so many bytes for it.
TEST_F(RaftReplicatorTest, OneThatCameTooLateIsFollowedByAFastOne) {
  FallBehind();
  const OutgoingSnapshot offer = NextOffer();
  EXPECT_FALSE(offer.hurry);
  offer.done(true);
  Settle();
  RefuseAppend();
  EXPECT_TRUE(NextOffer().hurry);
}

// Its sender has not heard of it, but the member has the snapshot.
TEST_F(RaftReplicatorTest, AMemberThatFollowsAgainHasNoPauses) {
  FallBehind();
  OffersBySecond(10);
  const OutgoingSnapshot offer = NextOffer();
  deaf_ = MemberId();
  transport_.receiver()->Receive({.type = MessageType::kAppendResponse,
                                  .to = kSelf,
                                  .from = kOthers[1],
                                  .term = replicator_->GetStatus().term,
                                  .index = replicator_->last_index()});
  Settle();
  offer.done(false);
  world_.RunFor(200ms);
  Settle();
  Propose();
  world_.RunUntilIdle();
  ExpectAppends({1});
  Settle();
  FallBehind();
  EXPECT_GE(OffersBySecond(1)[0], 2u);
}

// Of another reign: whoever leads now has its own.
TEST_F(RaftReplicatorTest, AnOldOffersEndIsNoNews) {
  FallBehind();
  const OutgoingSnapshot offer = NextOffer();
  transport_.receiver()->Receive({.type = MessageType::kHeartbeat,
                                  .to = kSelf,
                                  .from = kOthers[0],
                                  .term = replicator_->GetStatus().term + 1});
  Settle();
  EXPECT_FALSE(replicator_->leading());
  offer.done(false);
  world_.RunFor(1s);
  EXPECT_TRUE(machine_.failed.ok());
}

// It takes as long as a flush.
TEST_F(RaftReplicatorTest, OneThatWasMadeForAnOldReignIsNotSent) {
  machine_.makes_slowly = true;
  FallBehind();
  ASSERT_EQ(machine_.making.size(), 1u);
  const LogIndex index = machine_.at.index;
  LeadAgain();
  machine_.MakeAll();
  EXPECT_TRUE(transport_.snapshots.empty());
  // And so the log need not be kept for it.
  Propose();
  Settle();
  TakeSnapshot();
  EXPECT_EQ(replicator_->TermAt(index + 1), std::nullopt);
}

TEST_F(RaftReplicatorTest, OneThatFailedInAnOldReignEndsNoneOfThisOne) {
  machine_.makes_slowly = true;
  FallBehind();
  LeadAgain();
  RefuseAppend();
  ASSERT_EQ(machine_.making.size(), 2u);
  machine_.snapshot_error = ResourceExhaustedError("no room");
  machine_.making[0]();
  RunSettled(3s);
  EXPECT_EQ(machine_.making.size(), 2u) << "the second is being made";
}

}  // namespace
}  // namespace strata
