#include <gtest/gtest.h>

#include <optional>

#include "base/check.h"
#include "engine/watch/event.h"
#include "server/log_holds.h"
#include "tests/sim/cluster.h"

// Changes of members, leaders, snapshots and leases: what happens without
// faults, in etcd's words.
namespace strata::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class MembersTest : public testing::Test {
 protected:
  explicit MembersTest(ClusterOptions options = {}) : cluster_(options) {
    CHECK_OK(cluster_.StartAll());
    CHECK(cluster_.WaitForLeader() != nullptr);
    cluster_.RunFor(seconds(2));  // all have told their names
  }

  StatusOr<MemberRecord> Add(bool is_learner, size_t number) {
    std::optional<StatusOr<MemberRecord>> answer;
    cluster_.Leader()->node()->AddMember(
        Cluster::UrlsOf(number), is_learner,
        [&answer](StatusOr<MemberRecord> added) { answer = std::move(added); });
    cluster_.RunUntil([&] { return answer.has_value(); }, seconds(30));
    return answer.value_or(UnavailableError("no answer"));
  }

  // For a while nobody may.
  bool AnotherLeads(const Member* first) {
    const Member* const leader = cluster_.Leader();
    return leader != nullptr && leader != first;
  }

  Status Remove(MemberId id) {
    return cluster_.Wait([&](const std::function<void(Status)>& done) {
      cluster_.Leader()->node()->RemoveMember(
          id, [done](const StatusOr<Membership>& m) { done(m.status()); });
    });
  }

  Status Promote(Member* by, MemberId id) {
    return cluster_.Wait([&](const std::function<void(Status)>& done) {
      by->node()->PromoteMember(
          id, [done](const StatusOr<Membership>& m) { done(m.status()); });
    });
  }

  Member* Follower() {
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member& member = cluster_.member(i);
      if (member.up() && &member != cluster_.Leader()) return &member;
    }
    return nullptr;
  }

  void Fill(int puts) {
    for (int i = 0; i < puts; ++i) {
      CHECK_OK(cluster_.Put(cluster_.Leader(), "k" + std::to_string(i % 100),
                            std::to_string(i)));
    }
  }

  Cluster cluster_;
};

TEST_F(MembersTest, ALearnerJoinsAndIsPromoted) {
  Fill(20);
  const auto added = Add(/*is_learner=*/true, 3);
  ASSERT_TRUE(added.ok()) << added.status().ToString();
  Member* const fresh = cluster_.AddNew(0, added->id, Cluster::UrlsOf(3));
  EXPECT_EQ(Promote(Follower(), added->id).message(),
            "etcdserver: can only promote a learner member which is in sync "
            "with leader");
  CHECK_OK(fresh->Start());
  cluster_.RunFor(seconds(3));
  EXPECT_EQ(ReadHere(fresh, "k19"), "19");
  EXPECT_EQ(fresh->node()->membership(), cluster_.member(0)->membership());
  CHECK_OK(Promote(Follower(), added->id));
  cluster_.RunFor(seconds(1));
  EXPECT_FALSE(fresh->node()->membership().members.at(added->id).is_learner);
  EXPECT_EQ(fresh->node()->membership().members.at(added->id).name, "m3");
  // It votes and may lead.
  CHECK_OK(cluster_.Wait([&](const std::function<void(Status)>& done) {
    cluster_.Leader()->node()->MoveLeader(added->id, done);
  }));
  EXPECT_EQ(cluster_.Leader(), fresh);
  CHECK_OK(cluster_.Put(fresh, "a", "b"));
  // And is a member still when it comes back.
  fresh->LosePower(3);
  ASSERT_NE(cluster_.WaitForLeader(), nullptr);
  CHECK_OK(cluster_.Put(cluster_.Leader(), "a", "c"));
  CHECK_OK(fresh->Start());
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(ReadHere(fresh, "a"), "c");
}

TEST_F(MembersTest, RefusalsAreEtcds) {
  EXPECT_EQ(Add(true, 0).status().message(),
            "etcdserver: Peer URLs already exists");
  EXPECT_EQ(Remove(MemberId(1)).message(), "etcdserver: member not found");
  EXPECT_EQ(Promote(cluster_.Leader(), cluster_.member(0).id()).message(),
            "etcdserver: can only promote a learner member");
  const auto first = Add(true, 7);
  ASSERT_TRUE(first.ok());
  cluster_.RunFor(seconds(2));  // an id is made of the time in seconds
  EXPECT_EQ(Add(true, 8).status().message(),
            "etcdserver: too many learner members in cluster");
  // Three of four, who have started, are enough; of five they are, too, but
  // the fourth is not up.
  const auto fourth = Add(false, 9);
  ASSERT_TRUE(fourth.ok());
  cluster_.RunFor(seconds(2));
  EXPECT_EQ(Add(false, 10).status().message(), "etcdserver: unhealthy cluster");
  Follower()->Kill();
  EXPECT_EQ(Remove(cluster_.Leader()->id()).message(),
            "etcdserver: unhealthy cluster");
}

TEST_F(MembersTest, ARemovedMemberStopsAndDoesNotComeBack) {
  Member* const gone = Follower();
  CHECK_OK(Remove(gone->id()));
  cluster_.RunFor(seconds(4));
  EXPECT_EQ(gone->fatal().message(),
            "the member has been permanently removed from the cluster");
  gone->Kill();
  EXPECT_EQ(gone->Start().message(),
            "the member has been permanently removed from the cluster");
  CHECK_OK(cluster_.Put(cluster_.Leader(), "a", "1"));
}

TEST_F(MembersTest, ALeaderRemovesItself) {
  Member* const first = cluster_.Leader();
  CHECK_OK(Remove(first->id()));
  cluster_.RunUntil([&] { return AnotherLeads(first); }, seconds(10));
  Member* const next = cluster_.Leader();
  ASSERT_NE(next, nullptr);
  CHECK_OK(cluster_.Put(next, "a", "1"));
  EXPECT_EQ(next->node()->membership().members.size(), 2U);
}

TEST_F(MembersTest, LeadershipMovesOnRequest) {
  Member* const to = Follower();
  CHECK_OK(cluster_.Wait([&](const std::function<void(Status)>& done) {
    cluster_.Leader()->node()->MoveLeader(to->id(), done);
  }));
  EXPECT_EQ(cluster_.Leader(), to);
  const Status wrong =
      cluster_.Wait([&](const std::function<void(Status)>& done) {
        Follower()->node()->MoveLeader(to->id(), done);
      });
  EXPECT_EQ(wrong.message(), "etcdserver: not leader");
}

// A leader whose disk stands still hands over, and nobody waits for it.
TEST_F(MembersTest, ALeaderWithAStalledDiskHandsOver) {
  Member* const first = cluster_.Leader();
  first->StallDisk(seconds(20));
  const Time begin = cluster_.world().Now();
  const auto put = cluster_.Put(Follower(), "a", "1");
  ASSERT_TRUE(put.ok()) << put.status().ToString();
  // The others alone were a quorum.
  cluster_.RunUntil([&] { return AnotherLeads(first); }, seconds(5));
  EXPECT_NE(cluster_.Leader(), first);
  EXPECT_LT(cluster_.world().Now() - begin, seconds(8));
}

// As does one whose disk is full; the cluster goes on without an alarm.
TEST_F(MembersTest, ALeaderWithAFullDiskHandsOver) {
  Member* const first = cluster_.Leader();
  first->env()->SetCapacity(first->env()->UsedBytes());
  Status last;
  for (int i = 0; i < 300; ++i) {
    last = cluster_.Put(Follower(), "a", std::string(1000, 'x')).status();
  }
  ASSERT_TRUE(last.ok()) << last.ToString();
  cluster_.RunUntil([&] { return AnotherLeads(first); }, seconds(5));
  EXPECT_NE(cluster_.Leader(), first);
  EXPECT_TRUE(first->fatal().ok()) << first->fatal().ToString();
  EXPECT_TRUE(cluster_.Leader()->node()->alarms().empty());
  // With room again it catches up.
  first->env()->SetCapacity(UINT64_MAX);
  cluster_.RunFor(seconds(10));
  EXPECT_EQ(first->node()->store()->revision(),
            cluster_.Leader()->node()->store()->revision());
}

// --- the first election after a start ---

// When the first vote is asked for after all members have been started anew.
Duration FirstCampaign(uint64_t seed, bool advance) {
  ClusterOptions options;
  options.seed = seed;
  options.node.initial_election_tick_advance = advance;
  Cluster cluster(options);
  CHECK_OK(cluster.StartAll());
  CHECK(cluster.WaitForLeader() != nullptr);
  for (size_t i = 0; i < cluster.size(); ++i) cluster.member(i).Kill();
  const Time start = cluster.world().Now();
  std::optional<Duration> first;
  cluster.network().SetObserver([&](const raft::Message& message, Time sent) {
    if (message.type == raft::MessageType::kPreVote && !first) {
      first = sent - start;
    }
  });
  CHECK_OK(cluster.StartAll());
  CHECK(cluster.RunUntil([&] { return first.has_value(); }, seconds(10)));
  return *first;
}

// --initial-election-tick-advance: all but two ticks of the election timeout
// are taken as gone once a quorum is connected; else it is waited out. The
// timeout has a random part, and who has not yet applied what its log says of
// the members lets one pass.
TEST(ElectionTickAdvance, IsMadeOnlyIfAskedFor) {
  const NodeOptions defaults;
  constexpr uint64_t kSeeds = 10;
  uint64_t early = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Duration waited = FirstCampaign(seed, /*advance=*/false);
    EXPECT_GE(waited, defaults.election_timeout) << "seed " << seed;
    EXPECT_LE(waited, 2 * defaults.election_timeout) << "seed " << seed;
    const Duration advanced = FirstCampaign(seed, /*advance=*/true);
    EXPECT_GE(advanced, defaults.heartbeat_interval) << "seed " << seed;
    early += advanced < defaults.election_timeout ? 1 : 0;
  }
  EXPECT_GE(early, kSeeds / 2);
}

// --- the cluster's version ---

class VersionTest : public MembersTest {
 protected:
  VersionTest() : MembersTest(Options()) {}
  static ClusterOptions Options() {
    ClusterOptions options;
    options.node.level = Level::V3_5();
    return options;
  }
  Status Validate(const std::string& target) {
    return cluster_.Wait([&](const std::function<void(Status)>& done) {
      Follower()->node()->ValidateDowngrade(target, done);
    });
  }
  Status Enable(const std::string& target) {
    return cluster_.Wait([&](const std::function<void(Status)>& done) {
      Follower()->node()->EnableDowngrade(target, done);
    });
  }
  Status Cancel() {
    return cluster_.Wait([&](const std::function<void(Status)>& done) {
      Follower()->node()->CancelDowngrade(done);
    });
  }
  std::string Version() {
    return cluster_.Leader()->node()->membership().cluster_version;
  }
  // One after another, with another level.
  void RestartAllAt(Level level) {
    for (size_t i = 0; i < cluster_.size(); ++i) {
      Member& member = cluster_.member(i);
      member.Kill();
      member.options().level = level;
      CHECK_OK(member.Start());
      CHECK(cluster_.WaitForLeader() != nullptr);
      cluster_.RunFor(seconds(2));
    }
  }
};

TEST_F(VersionTest, DowngradesAreRefusedInEtcdsWords) {
  EXPECT_EQ(Version(), "3.5.0");
  CHECK_OK(Validate("3.4"));
  CHECK_OK(Validate("3.4.0"));
  for (const char* text : {"", "3", "x.y", "3.4.", "3.4.0.1", "-3.4"}) {
    EXPECT_EQ(Validate(text).message(),
              "etcdserver: wrong downgrade target version format")
        << text;
  }
  for (const char* target : {"3.5", "3.3", "3.6.0", "2.4.0"}) {
    EXPECT_EQ(Enable(target).message(),
              "etcdserver: invalid downgrade target version")
        << target;
  }
  EXPECT_EQ(Cancel().message(), "etcdserver: no inflight downgrade job");
  CHECK_OK(Enable("3.4"));
  cluster_.RunFor(seconds(6));
  EXPECT_EQ(Version(), "3.4.0");
  EXPECT_TRUE(Follower()->node()->downgrade().enabled);
  EXPECT_EQ(Enable("3.3").message(),
            "etcdserver: cluster has a downgrade job in progress");
  CHECK_OK(Cancel());
  cluster_.RunFor(seconds(6));
  EXPECT_EQ(Version(), "3.5.0");
}

TEST_F(VersionTest, FollowsTheLevelsOfAllMembers) {
  CHECK_OK(Enable("3.4"));
  cluster_.RunFor(seconds(6));
  RestartAllAt(Level::V3_4());
  EXPECT_EQ(Version(), "3.4.0");
  EXPECT_EQ(Follower()->node()->level(), Level::V3_4());
  // And up again, when the last has been started anew.
  for (size_t i = 0; i < cluster_.size(); ++i) {
    cluster_.member(i).options().level = Level::V3_5();
  }
  Member& last = cluster_.member(2);
  for (size_t i = 0; i < 2; ++i) {
    cluster_.member(i).Kill();
    CHECK_OK(cluster_.member(i).Start());
    CHECK(cluster_.WaitForLeader() != nullptr);
    cluster_.RunFor(seconds(6));
    EXPECT_EQ(Version(), "3.4.0");
  }
  CHECK_OK(Cancel());
  last.Kill();
  CHECK_OK(last.Start());
  CHECK(cluster_.WaitForLeader() != nullptr);
  cluster_.RunFor(seconds(12));
  EXPECT_EQ(Version(), "3.5.0");
}

class BoundsTest : public MembersTest {
 protected:
  static constexpr uint64_t kTailBytes = 100'000;
  BoundsTest() : MembersTest(Options()) {}
  static ClusterOptions Options() {
    ClusterOptions options;
    // Less than a leader sends to a member that acknowledges nothing.
    options.node.max_applied_gap = 5;
    options.node.max_tail_bytes = kTailBytes;
    return options;
  }
};

// Who has decided much that it has not applied takes on no more.
TEST_F(BoundsTest, AMemberThatIsBehindRefusesRequests) {
  Member* const behind = Follower();
  behind->StallDisk(seconds(5));
  Fill(30);
  cluster_.RunFor(milliseconds(500));  // it hears what was decided
  EXPECT_EQ(cluster_.Put(behind, "a", "1").status().message(),
            "etcdserver: too many requests");
  cluster_.RunFor(seconds(6));
  CHECK_OK(cluster_.Put(behind, "a", "1"));
}

// What its backend does not take is not piled up in memory.
TEST_F(BoundsTest, AMemberWhoseBackendIsFullAppliesNoMore) {
  Member* const full = cluster_.Leader();
  full->env()->SetCapacity(full->env()->UsedBytes());
  Status last;
  for (int i = 0; i < 300 && last.ok(); ++i) {
    last = cluster_.Put(Follower(), "a", std::string(1000, 'x')).status();
    EXPECT_LT(full->node()->store()->tail_bytes(), 2 * kTailBytes);
  }
  ASSERT_TRUE(last.ok()) << last.ToString();
  cluster_.RunUntil([&] { return AnotherLeads(full); }, seconds(5));
  EXPECT_NE(cluster_.Leader(), full);
  full->env()->SetCapacity(UINT64_MAX);
  cluster_.RunFor(seconds(10));
  EXPECT_EQ(full->node()->store()->revision(),
            cluster_.Leader()->node()->store()->revision());
}

class SnapshotTest : public MembersTest {
 protected:
  SnapshotTest() : MembersTest(Options()) {}
  static ClusterOptions Options() {
    ClusterOptions options;
    options.node.snapshot_count = 30;
    options.node.snapshot_catch_up_entries = 5;
    options.node.wal_segment_bytes = 16 << 10;
    return options;
  }
};

TEST_F(SnapshotTest, AMemberThatIsFarBehindGetsTheDatabase) {
  Member* const behind = Follower();
  // Its watcher must miss nothing of what is left.
  std::vector<int64_t> seen;
  const auto stream = behind->node()->watch_hub()->NewStream([] {});
  stream->Watch({.range = {.key = "w", .end = {}}, .start = Revision(1)});
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (&cluster_.member(i) == behind) cluster_.Isolate(i);
  }
  CHECK_OK(cluster_.Put(cluster_.Leader(), "w", "1"));
  Fill(200);
  CHECK_OK(cluster_.Put(cluster_.Leader(), "w", "2"));
  cluster_.network().Heal();
  cluster_.RunFor(seconds(5));
  EXPECT_GT(cluster_.network().snapshots(), 0U);
  EXPECT_EQ(ReadHere(behind, "k99"), "199");
  EXPECT_EQ(behind->node()->store()->revision(),
            cluster_.Leader()->node()->store()->revision());
  while (const auto response = stream->Next()) {
    for (const auto& event : response->events) {
      seen.push_back(event->revision().value());
    }
  }
  EXPECT_EQ(seen.size(), 2U);
  // It goes on, and comes back as it was.
  CHECK_OK(cluster_.Put(behind, "a", "1"));
}

TEST_F(SnapshotTest, AWatcherWhoseChangesWereCompactedMeanwhileIsTold) {
  Member* const behind = Follower();
  const auto stream = behind->node()->watch_hub()->NewStream([] {});
  stream->Watch({.range = {.key = "w", .end = {}}});
  EXPECT_TRUE(stream->Next()->created);
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (&cluster_.member(i) == behind) cluster_.Isolate(i);
  }
  Member* const leader = cluster_.Leader();
  CHECK_OK(cluster_.Put(leader, "w", "1"));
  Fill(100);
  etcdserverpb::InternalRaftRequest compact;
  const Revision revision = leader->node()->store()->revision();
  compact.mutable_compaction()->set_revision(revision.value());
  CHECK_OK(cluster_.Propose(leader, compact));
  Fill(100);
  cluster_.network().Heal();
  cluster_.RunFor(seconds(5));
  ASSERT_EQ(ReadHere(behind, "k99"), "99");
  const auto response = stream->Next();
  ASSERT_TRUE(response.has_value());
  EXPECT_TRUE(response->canceled);
  EXPECT_EQ(response->compact_revision, revision);
}

TEST_F(SnapshotTest, ANewMemberGetsTheDatabaseAndVotes) {
  Fill(200);
  const auto added = Add(/*is_learner=*/false, 3);
  ASSERT_TRUE(added.ok()) << added.status().ToString();
  Member* const fresh = cluster_.AddNew(0, added->id, Cluster::UrlsOf(3));
  CHECK_OK(fresh->Start());
  cluster_.RunFor(seconds(5));
  EXPECT_GT(cluster_.network().snapshots(), 0U);
  EXPECT_EQ(ReadHere(fresh, "k99"), "199");
  EXPECT_EQ(fresh->node()->membership().members.size(), 4U);
}

// What a start would refuse is not taken from another member either.
TEST_F(SnapshotTest, ADatabaseWithAuthenticationStopsTheMember) {
  Member* const behind = Follower();
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (&cluster_.member(i) == behind) cluster_.Isolate(i);
  }
  cluster_.Leader()->node()->store()->PutRecord(Table::kAuth, "authEnabled",
                                                std::string(1, '\1'));
  Fill(200);
  cluster_.network().Heal();
  cluster_.RunFor(seconds(5));
  EXPECT_GT(cluster_.network().snapshots(), 0U);
  EXPECT_NE(behind->fatal().message().find("authentication is enabled"),
            std::string::npos)
      << behind->fatal();
  EXPECT_NE(ReadHere(behind, "k99"), "199");
}

// Power is lost at any of its disk's operations from the moment that a snapshot
// is on its way: it must open again, and catch up.
TEST_F(SnapshotTest, ACrashWhileASnapshotIsInstalledLosesNothing) {
  uint64_t installed = 0;
  for (uint64_t point = 1; point <= 60; point += 2) {
    Member* const behind = Follower();
    for (size_t i = 0; i < cluster_.size(); ++i) {
      if (&cluster_.member(i) == behind) cluster_.Isolate(i);
    }
    Fill(50);
    behind->LosePowerAt(point);
    const uint64_t before = cluster_.network().snapshots();
    cluster_.network().Heal();
    cluster_.RunUntil([&] { return behind->powered_off(); }, seconds(4));
    behind->LosePower(point);
    const Status opened = behind->Start();
    ASSERT_TRUE(opened.ok()) << "point " << point << ": " << opened.ToString();
    ASSERT_NE(cluster_.WaitForLeader(), nullptr);
    cluster_.RunFor(seconds(5));
    ASSERT_TRUE(behind->fatal().ok()) << behind->fatal().ToString();
    ASSERT_EQ(behind->node()->store()->revision(),
              cluster_.Leader()->node()->store()->revision())
        << "point " << point;
    // The next time, too, the log is not to go back far enough.
    cluster_.RunFor(LogHolds::kAfterwards);
    installed += cluster_.network().snapshots() - before;
  }
  EXPECT_GT(installed, 20U);
}

class LeaseTest : public MembersTest {
 protected:
  explicit LeaseTest(ClusterOptions options = {}) : MembersTest(options) {}

  void Grant(int64_t id, int64_t ttl) {
    etcdserverpb::InternalRaftRequest request;
    request.mutable_lease_grant()->set_id(id);
    request.mutable_lease_grant()->set_ttl(ttl);
    CHECK_OK(cluster_.Propose(cluster_.Leader(), request));
  }
  Status Renew(Member* member, int64_t id) {
    return cluster_.Wait([&](const std::function<void(Status)>& done) {
      member->node()->RenewLease(
          LeaseId(id),
          [done](const StatusOr<int64_t>& ttl) { done(ttl.status()); });
    });
  }
};

TEST_F(LeaseTest, FollowersAskTheLeaderAndANewLeaderGivesTheFullTime) {
  Grant(7, 4);
  for (int i = 0; i < 5; ++i) {
    cluster_.RunFor(seconds(2));
    CHECK_OK(Renew(Follower(), 7));
  }
  cluster_.RunFor(seconds(3));
  cluster_.Leader()->Kill();
  ASSERT_NE(cluster_.WaitForLeader(), nullptr);
  cluster_.RunFor(seconds(3));
  // With the old leader it had ended by now.
  EXPECT_EQ(Follower()->node()->Leases().size(), 1U);
  CHECK_OK(Renew(Follower(), 7));
  cluster_.RunFor(seconds(7));
  EXPECT_TRUE(Follower()->node()->Leases().empty());
  EXPECT_EQ(Renew(Follower(), 7).code(), Code::kNotFound);
}

TEST_F(LeaseTest, ALeaderThatIsCutOffRenewsNothing) {
  Grant(7, 4);
  Member* const old = cluster_.Leader();
  for (size_t i = 0; i < cluster_.size(); ++i) {
    if (&cluster_.member(i) == old) cluster_.Isolate(i);
  }
  EXPECT_FALSE(Renew(old, 7).ok());
}

class CheckpointTest : public LeaseTest {
 protected:
  CheckpointTest() : LeaseTest(WithCheckpoints()) {}

  static ClusterOptions WithCheckpoints() {
    ClusterOptions options;
    options.node.lease_checkpoints = true;
    return options;
  }

  Duration LeftAtANewLeader(int64_t id) {
    cluster_.Leader()->Kill();
    CHECK(cluster_.WaitForLeader() != nullptr);
    cluster_.RunFor(seconds(1));
    const auto left = cluster_.Leader()->node()->LeaseTimeLeft(LeaseId(id));
    CHECK_OK(left.status());
    CHECK_OK(cluster_.StartAll());
    cluster_.RunFor(seconds(2));
    return *left;
  }
};

// Without, a lease that lasts longer than the leaders do would never end.
TEST_F(CheckpointTest, ANewLeaderGoesOnFromWhatWasLeft) {
  Grant(7, 1000);
  cluster_.RunFor(seconds(310));
  for (size_t i = 0; i < cluster_.size(); ++i) {
    const auto& leases = cluster_.member(i).node()->store()->leases();
    EXPECT_EQ(leases.Find(LeaseId(7))->remaining_seconds, 700);
  }
  EXPECT_LE(LeftAtANewLeader(7), seconds(702));
  // A renewal is for the leader after that too.
  CHECK_OK(Renew(Follower(), 7));
  EXPECT_GT(LeftAtANewLeader(7), seconds(990));
}

}  // namespace
}  // namespace strata::sim
