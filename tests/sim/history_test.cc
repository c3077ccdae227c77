#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/errors.h"
#include "engine/key_value.h"
#include "engine/watch/event.h"
#include "engine/watch_hub.h"
#include "rpc/claim.h"
#include "tests/sim/cluster.h"

// What has been wrong in etcd once, each as it could be brought about again
// (docs/testing.md, "etcd's history"). The number is that of etcd's issue.
namespace strata::sim {
namespace {

using etcdserverpb::InternalRaftRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A client that watches, and what it was told: "put a=1 @5", "delete a @6",
// "progress @7", "compacted @9", "canceled".
class Watcher {
 public:
  Watcher(Member* member, const WatchRequest& request)
      : stream_(member->node()->watch_hub()->NewStream([] {})) {
    stream_->Watch(request);
  }

  void AskProgress() { stream_->RequestProgress(); }
  const std::vector<std::string>& Told() {
    while (auto response = stream_->Next()) Take(*response);
    return told_;
  }
  // Revisions of events, one for each.
  const std::vector<int64_t>& Revisions() {
    Told();
    return revisions_;
  }

 private:
  void Take(const WatchResponse& response) {
    const std::string at = " @" + std::to_string(response.revision.value());
    if (response.created) return;
    if (response.compact_revision > Revision()) {
      told_.push_back("compacted @" +
                      std::to_string(response.compact_revision.value()));
    } else if (response.canceled) {
      told_.emplace_back("canceled");
    } else if (response.events.empty()) {
      told_.push_back("progress" + at);
    }
    for (const auto& event : response.events) {
      const auto kv = DecodeKeyValue(event->kv());
      CHECK_OK(kv);
      const std::string key(kv->key);
      revisions_.push_back(event->revision().value());
      told_.push_back((event->is_delete()
                           ? "delete " + key
                           : "put " + key + "=" + std::string(kv->value)) +
                      " @" + std::to_string(event->revision().value()));
    }
  }

  std::unique_ptr<WatchStream> stream_;
  std::vector<std::string> told_;
  std::vector<int64_t> revisions_;
};

class HistoryTest : public testing::Test {
 protected:
  ~HistoryTest() override { watchers_.clear(); }

  void Begin(size_t members, NodeOptions node = {}) {
    node.batch_interval = milliseconds(10);
    watchers_.clear();
    cluster_ = std::make_unique<Cluster>(
        ClusterOptions{.members = members, .seed = 1, .node = node});
    CHECK_OK(cluster_->StartAll());
    CHECK(cluster_->WaitForLeader() != nullptr);
    cluster_->RunFor(seconds(2));
  }

  Member& At(size_t i) { return cluster_->member(i); }
  Member* Leader() { return cluster_->Leader(); }
  Member* Follower() {
    for (size_t i = 0; i < cluster_->size(); ++i) {
      if (At(i).up() && &At(i) != Leader()) return &At(i);
    }
    return nullptr;
  }
  void RunFor(Duration duration) { cluster_->RunFor(duration); }

  Revision Put(Member* at, const std::string& key, const std::string& value) {
    const auto put = cluster_->Put(at, key, value);
    CHECK_OK(put);
    return *put;
  }
  Status Delete(Member* at, const std::string& key, const std::string& end) {
    InternalRaftRequest request;
    request.mutable_delete_range()->set_key(key);
    request.mutable_delete_range()->set_range_end(end);
    return cluster_->Propose(at, std::move(request)).status();
  }
  Status Compact(Member* at, Revision revision) {
    InternalRaftRequest request;
    request.mutable_compaction()->set_revision(revision.value());
    return cluster_->Propose(at, std::move(request)).status();
  }
  Status Grant(Member* at, LeaseId id, int64_t ttl) {
    InternalRaftRequest request;
    request.mutable_lease_grant()->set_id(id.value());
    request.mutable_lease_grant()->set_ttl(ttl);
    return cluster_->Propose(at, std::move(request)).status();
  }
  Status PutUnder(Member* at, const std::string& key, LeaseId lease) {
    InternalRaftRequest request;
    request.mutable_put()->set_key(key);
    request.mutable_put()->set_lease(lease.value());
    return cluster_->Propose(at, std::move(request)).status();
  }
  Status Renew(Member* at, LeaseId lease) {
    return cluster_->Wait([&](const std::function<void(Status)>& done) {
      at->node()->RenewLease(
          lease, [done](const StatusOr<int64_t>& ttl) { done(ttl.status()); });
    });
  }

  Watcher* Watch(Member* at, const WatchRequest& request) {
    watchers_.push_back(std::make_unique<Watcher>(at, request));
    return watchers_.back().get();
  }

  Ways AllWays(const Member& member) {
    Ways ways;
    for (size_t i = 0; i < cluster_->size(); ++i) {
      if (At(i).id() == member.id()) continue;
      ways.insert(ways.end(),
                  {{member.id(), At(i).id()}, {At(i).id(), member.id()}});
    }
    return ways;
  }
  bool WaitForAnother(const Member* than) {
    return cluster_->RunUntil(
        [&] { return Leader() != nullptr && Leader() != than; }, seconds(30));
  }

  // All members that are up have applied the same and show the same.
  void ExpectEqual() {
    RunFor(seconds(3));
    std::optional<HashKvResult> first;
    for (size_t i = 0; i < cluster_->size(); ++i) {
      if (!At(i).up()) continue;
      const auto hash = At(i)->store()->HashKv(Revision(0));
      CHECK_OK(hash);
      if (!first) first = *hash;
      EXPECT_EQ(hash->hash, first->hash) << "member " << i;
      EXPECT_EQ(hash->current, first->current) << "member " << i;
    }
  }

  // The member loses power at its n-th operation on the disk from now, or
  // while `act` goes on, and is started again.
  template <typename Act>
  void LosePowerIn(Member* member, uint64_t n, const Act& act) {
    member->LosePowerAt(n);
    act();
    RunFor(milliseconds(100));
    watchers_.clear();
    member->LosePower(n);
    CHECK_OK(member->Start());
    CHECK(cluster_->WaitForLeader() != nullptr);
    RunFor(seconds(2));
  }

  // A put that may have no answer, as its member may have lost power.
  std::shared_ptr<std::optional<int64_t>> TryPut(Member* at,
                                                 const std::string& key,
                                                 const std::string& value) {
    struct Call {
      InternalRaftRequest request;
    };
    auto call = std::make_shared<Call>();
    auto revision = std::make_shared<std::optional<int64_t>>();
    call->request.mutable_put()->set_key(key);
    call->request.mutable_put()->set_value(value);
    at->node()->Propose(
        &call->request, [call, revision](const StatusOr<ApplyResult>& result) {
          if (!result.ok()) return;
          *revision = std::get<PutResult>(*result).revision.value();
        });
    return revision;
  }

  std::unique_ptr<Cluster> cluster_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

// --- crashes ---

// 13766: the applied index was saved apart from the data; after a crash under
// load entries were applied twice or not at all.
TEST_F(HistoryTest, Issue13766ACrashUnderLoadAppliesNothingTwice) {
  for (uint64_t n = 1; n < 60; n += 4) {
    SCOPED_TRACE(n);
    Begin(3);
    LosePowerIn(Follower(), n, [&] {
      for (int i = 0; i < 40; ++i) {
        TryPut(Leader(), "k" + std::to_string(i % 7), std::to_string(i));
        RunFor(milliseconds(3));
      }
    });
    ExpectEqual();
  }
}

// 14370: a cluster of one acknowledged before its log was synced.
TEST_F(HistoryTest, Issue14370OneMemberKeepsWhatItAcknowledged) {
  for (uint64_t n = 1; n < 60; n += 4) {
    SCOPED_TRACE(n);
    Begin(1);
    std::vector<std::shared_ptr<std::optional<int64_t>>> puts;
    LosePowerIn(&At(0), n, [&] {
      for (int i = 0; i < 30; ++i) {
        puts.push_back(TryPut(&At(0), "k" + std::to_string(i), "v"));
        RunFor(milliseconds(3));
      }
    });
    for (size_t i = 0; i < puts.size(); ++i) {
      if (!*puts[i]) continue;
      EXPECT_EQ(ReadHere(&At(0), "k" + std::to_string(i)), "v") << i;
    }
  }
}

// 14685: a crash while the file was made smaller left an applied index that did
// not fit the data.
TEST_F(HistoryTest, Issue14685ACrashWhileTheFileShrinks) {
  for (uint64_t n = 1; n < 40; n += 3) {
    SCOPED_TRACE(n);
    Begin(3);
    Member* const member = Follower();
    for (int i = 0; i < 200; ++i) {
      Put(Leader(), "k" + std::to_string(i), std::string(2000, 'v'));
    }
    CHECK_OK(Delete(Leader(), "k", "l"));
    CHECK_OK(Compact(Leader(), member->node()->store()->revision()));
    RunFor(milliseconds(500));
    LosePowerIn(member, n, [&] {
      member->node()->store()->Shrink(nullptr,
                                      [](const StatusOr<ShrinkProgress>&) {});
      for (int i = 0; i < 20; ++i) {
        TryPut(Leader(), "a" + std::to_string(i), "w");
        RunFor(milliseconds(5));
      }
    });
    ExpectEqual();
  }
}

// 17780, 6567: with the newest keys deleted and compacted, a crash during the
// compaction brought back an older revision.
TEST_F(HistoryTest, Issue17780ACrashDuringCompactionKeepsTheRevision) {
  for (uint64_t n = 1; n < 40; n += 3) {
    SCOPED_TRACE(n);
    Begin(3);
    Member* const member = Follower();
    for (int i = 0; i < 50; ++i) Put(Leader(), "k" + std::to_string(i), "v");
    CHECK_OK(Delete(Leader(), "k", "l"));
    RunFor(milliseconds(200));
    const Revision before = Leader()->node()->store()->revision();
    LosePowerIn(member, n, [&] { CHECK_OK(Compact(Leader(), before)); });
    EXPECT_EQ(member->node()->store()->revision(), before);
    EXPECT_EQ(cluster_->Get(member, "k1").status().message(), "");
    EXPECT_EQ(Put(member, "k1", "new"), before + 1);
    ExpectEqual();
  }
}

// Ours: a disk that was full while terms went by. What is written again began
// with a term later than its own.
TEST_F(HistoryTest, TermsGoByWhileADiskIsFull) {
  Begin(3);
  Member* const full = Follower();
  full->env()->SetCapacity(0);
  for (int i = 0; i < 3; ++i) {
    Put(Leader(), "a", std::to_string(i));
    Member* const to =
        &At(0) == full || &At(0) == Leader()
            ? (&At(1) == full || &At(1) == Leader() ? &At(2) : &At(1))
            : &At(0);
    CHECK_OK(cluster_->Wait([&](const std::function<void(Status)>& done) {
      Leader()->node()->MoveLeader(to->id(), done);
    }));
    RunFor(milliseconds(700));
  }
  full->env()->SetCapacity(UINT64_MAX);
  RunFor(seconds(3));
  EXPECT_EQ(full->fatal(), Status::Ok());
  EXPECT_EQ(ReadHere(full, "a"), "2");
  ExpectEqual();
}

// --- watches ---

// 15220: progress was told before the events up to it.
TEST_F(HistoryTest, Issue15220ProgressComesAfterTheEvents) {
  Begin(3);
  for (int i = 0; i < 300; ++i) Put(Leader(), "a", std::to_string(i));
  RunFor(milliseconds(200));
  Watcher* const watcher =
      Watch(Follower(), {.range = {"a", ""}, .start = Revision(2)});
  for (int i = 0; i < 20; ++i) {
    watcher->AskProgress();
    RunFor(milliseconds(5));
    Put(Leader(), "a", "more");
    watcher->Told();
  }
  RunFor(seconds(1));
  int64_t last = 1;
  int progress = 0;
  for (const std::string& line : watcher->Told()) {
    const int64_t at = std::stoll(line.substr(line.find('@') + 1));
    if (line.starts_with("progress")) {
      EXPECT_LE(at, last) << line;
      ++progress;
    } else {
      EXPECT_EQ(at, last + 1) << line;
      last = at;
    }
  }
  EXPECT_GT(progress, 0);
  EXPECT_EQ(last, 321);
}

// 15271, 20221: whoever went on watching at a member that was behind got what
// it had seen, or was told a revision before its own.
TEST_F(HistoryTest, Issue15271And20221AFutureRevisionBringsNothingOlder) {
  NodeOptions node;
  node.watch_progress_interval = seconds(1);
  Begin(3, node);
  Member* const behind = Follower();
  cluster_->network().Cut(AllWays(*behind));
  for (int i = 0; i < 10; ++i) Put(Leader(), "a", std::to_string(i));
  ASSERT_EQ(Leader()->node()->store()->revision(), Revision(11));
  ASSERT_EQ(behind->node()->store()->revision(), Revision(1));
  Watcher* const watcher = Watch(
      behind,
      {.range = {"a", ""}, .start = Revision(12), .progress_notify = true});
  watcher->AskProgress();
  RunFor(seconds(3));
  EXPECT_EQ(watcher->Told(), std::vector<std::string>{});
  cluster_->network().Heal();
  RunFor(seconds(5));
  for (const std::string& line : watcher->Told()) {
    EXPECT_EQ(line, "progress @11");
  }
  Put(Leader(), "a", "new");
  RunFor(seconds(1));
  EXPECT_EQ(watcher->Revisions(), std::vector<int64_t>{12});
}

// 17247: a transaction's events came twice.
TEST_F(HistoryTest, Issue17247ATransactionsEventsComeOnce) {
  Begin(3);
  Watcher* const live = Watch(Follower(), {.range = {"a", "z"}});
  for (int i = 0; i < 20; ++i) {
    InternalRaftRequest request;
    for (const char* const key : {"a", "b", "c"}) {
      auto* const put =
          request.mutable_txn()->add_success()->mutable_request_put();
      put->set_key(key);
      put->set_value(std::to_string(i));
    }
    CHECK_OK(cluster_->Propose(Leader(), std::move(request)));
  }
  RunFor(seconds(1));
  Watcher* const late =
      Watch(Follower(), {.range = {"a", "z"}, .start = Revision(2)});
  RunFor(seconds(1));
  EXPECT_EQ(live->Told().size(), 60U);
  EXPECT_EQ(live->Told(), late->Told());
}

// 17529: a watcher whose client took its time lost events.
TEST_F(HistoryTest, Issue17529ASlowWatcherLosesNothing) {
  Begin(3);
  Watcher* const slow = Watch(Follower(), {.range = {"a", "z"}});
  Watcher* const fast = Watch(Follower(), {.range = {"a", "z"}});
  for (int i = 0; i < 3000; ++i) {
    Put(Leader(), "k" + std::to_string(i % 50), std::string(500, 'v'));
    if (i % 50 == 0) fast->Told();
  }
  RunFor(seconds(1));
  EXPECT_EQ(fast->Revisions().size(), 3000U);
  for (int i = 0; i < 100; ++i) {
    slow->Told();
    RunFor(milliseconds(20));
  }
  EXPECT_EQ(slow->Revisions(), fast->Revisions());
}

// 18089, 19179: a deletion at the compacted revision was not told.
TEST_F(HistoryTest, Issue18089And19179ADeletionAtTheCompactedRevisionIsTold) {
  Begin(3);
  Put(Leader(), "a", "1");
  CHECK_OK(Delete(Leader(), "a", ""));
  CHECK_OK(Compact(Leader(), Revision(3)));
  const std::vector<std::string> wanted = {"delete a @3"};
  Member* const member = Follower();
  Watcher* const at_once =
      Watch(member, {.range = {"a", ""}, .start = Revision(3)});
  RunFor(seconds(2));
  EXPECT_EQ(at_once->Told(), wanted);
  Watcher* const later =
      Watch(member, {.range = {"a", ""}, .start = Revision(3)});
  RunFor(seconds(1));
  EXPECT_EQ(later->Told(), wanted);
  watchers_.clear();
  member->LosePower(1);
  CHECK_OK(member->Start());
  RunFor(seconds(2));
  Watcher* const restarted =
      Watch(member, {.range = {"a", ""}, .start = Revision(3)});
  Watcher* const before =
      Watch(member, {.range = {"a", ""}, .start = Revision(2)});
  RunFor(seconds(1));
  EXPECT_EQ(restarted->Told(), wanted);
  EXPECT_EQ(before->Told(), std::vector<std::string>{"compacted @3"});
}

// Jepsen 2020: revision 0 is "from now on", and not the first there is.
TEST_F(HistoryTest, RevisionZeroIsFromNowOn) {
  Begin(3);
  Watcher* const empty = Watch(Follower(), {.range = {"a", ""}});
  Put(Leader(), "a", "1");
  RunFor(seconds(1));
  Watcher* const now = Watch(Follower(), {.range = {"a", ""}});
  Watcher* const first =
      Watch(Follower(), {.range = {"a", ""}, .start = Revision(1)});
  Put(Leader(), "a", "2");
  RunFor(seconds(1));
  EXPECT_EQ(empty->Revisions(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(now->Revisions(), std::vector<int64_t>{3});
  EXPECT_EQ(first->Revisions(), (std::vector<int64_t>{2, 3}));
}

// --- state ---

// 18667: a transaction that read a compacted revision was made on one member
// and not on the other, which had not compacted yet.
TEST_F(HistoryTest, Issue18667ATransactionThatReadsWhatIsCompactedIsRefused) {
  Begin(3);
  for (int i = 0; i < 10; ++i) Put(Leader(), "a", std::to_string(i));
  CHECK_OK(Compact(Leader(), Revision(8)));
  InternalRaftRequest request;
  auto* const txn = request.mutable_txn();
  txn->add_success()->mutable_request_put()->set_key("b");
  auto* const range = txn->add_success()->mutable_request_range();
  range->set_key("a");
  range->set_revision(5);
  EXPECT_EQ(cluster_->Propose(Leader(), std::move(request)).status(),
            errors::Compacted());
  RunFor(seconds(1));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(ReadHere(&At(i), "b"), std::nullopt) << i;
    EXPECT_EQ(At(i)->store()->revision(), Revision(11)) << i;
  }
  EXPECT_EQ(Put(Follower(), "b", "1"), Revision(12));
  ExpectEqual();
}

// 21636 and others: what is refused for want of space is refused by all, also
// by one that is started meanwhile.
TEST_F(HistoryTest, Issue21636AnAlarmHoldsOnAllMembersAlike) {
  Begin(3);
  Member* const small = Follower();
  small->Kill();
  small->options().quota_backend_bytes = 200'000;
  CHECK_OK(small->Start());
  RunFor(seconds(2));
  Status refused;
  for (int i = 0; i < 500 && refused.ok(); ++i) {
    refused =
        cluster_->Put(small, "k" + std::to_string(i), std::string(2000, 'v'))
            .status();
  }
  EXPECT_EQ(refused.message(), "etcdserver: mvcc: database space exceeded");
  RunFor(seconds(1));
  Member* const other = small == &At(0) ? &At(1) : &At(0);
  other->LosePower(1);
  CHECK_OK(other->Start());
  ASSERT_NE(cluster_->WaitForLeader(), nullptr);
  RunFor(seconds(1));
  EXPECT_EQ(cluster_->Put(other, "x", "y").status().message(),
            "etcdserver: mvcc: database space exceeded");
  CHECK_OK(Delete(other, "k1", ""));
  EXPECT_EQ(At(0)->alarms().size(), 1U);
  EXPECT_EQ(At(1)->alarms().size(), 1U);
  ExpectEqual();
}

// 13196, 20793: a removed member was a member again after a restart.
TEST_F(HistoryTest, ARemovedMemberIsNotRevived) {
  NodeOptions node;
  node.snapshot_count = 20;
  node.snapshot_catch_up_entries = 5;
  Begin(4, node);
  Member* const gone = Follower();
  gone->Kill();
  CHECK_OK(cluster_->Wait([&](const std::function<void(Status)>& done) {
    Leader()->node()->RemoveMember(
        gone->id(),
        [done](const StatusOr<Membership>& m) { done(m.status()); });
  }));
  for (int i = 0; i < 60; ++i) Put(Leader(), "a", std::to_string(i));
  RunFor(seconds(1));
  for (size_t i = 0; i < 4; ++i) {
    if (At(i).up()) At(i).LosePower(i);
  }
  for (size_t i = 0; i < 4; ++i) {
    if (&At(i) != gone) CHECK_OK(At(i).Start());
  }
  ASSERT_NE(cluster_->WaitForLeader(), nullptr);
  RunFor(seconds(1));
  const Term term = Leader()->node()->replication().term;
  // It does not know yet; the others tell it, and do not listen.
  CHECK_OK(gone->Start());
  RunFor(seconds(8));
  EXPECT_EQ(gone->fatal().message(),
            "the member has been permanently removed from the cluster");
  EXPECT_EQ(Leader()->node()->replication().term, term);
  for (size_t i = 0; i < 4; ++i) {
    if (&At(i) == gone) continue;
    EXPECT_FALSE(At(i)->membership().members.contains(gone->id())) << i;
  }
}

// 21694: new URLs made a learner a voter. 19557, 20793: a promotion was kept in
// one of two stores, so that a restart or a snapshot made a learner again.
TEST_F(HistoryTest, Issues21694And19557OnlyAPromotionPromotesAndForGood) {
  NodeOptions node;
  node.snapshot_count = 20;
  node.snapshot_catch_up_entries = 5;
  Begin(3, node);
  std::optional<MemberRecord> added;
  CHECK_OK(cluster_->Wait([&](const std::function<void(Status)>& done) {
    Leader()->node()->AddMember(
        Cluster::UrlsOf(3), /*is_learner=*/true,
        [&added, done](const StatusOr<MemberRecord>& m) {
          if (m.ok()) added = *m;
          done(m.status());
        });
  }));
  const MemberId id = added.value().id;
  CHECK_OK(cluster_->AddNew(0, id, Cluster::UrlsOf(3))->Start());
  RunFor(seconds(2));
  const auto change = [&](auto method, auto... arguments) {
    CHECK_OK(cluster_->Wait([&](const std::function<void(Status)>& done) {
      (Leader()->node()->*method)(
          id, arguments...,
          [done](const StatusOr<Membership>& m) { done(m.status()); });
    }));
  };
  const auto is_learner_everywhere = [&](bool is_learner) {
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(At(i)->membership().members.at(id).is_learner, is_learner) << i;
      CHECK_OK(At(i)->CheckMembers());
    }
  };
  const auto restart_all = [&] {
    for (int i = 0; i < 60; ++i) Put(Leader(), "a", std::to_string(i));
    RunFor(seconds(1));
    for (size_t i = 0; i < 4; ++i) At(i).LosePower(i);
    CHECK_OK(cluster_->StartAll());
    ASSERT_NE(cluster_->WaitForLeader(), nullptr);
    RunFor(seconds(3));
  };
  change(&Node::UpdateMember, std::vector<std::string>{"http://10.0.0.9:2380"});
  RunFor(seconds(1));
  is_learner_everywhere(true);
  restart_all();
  is_learner_everywhere(true);
  change(&Node::PromoteMember);
  RunFor(seconds(1));
  is_learner_everywhere(false);
  restart_all();
  is_learner_everywhere(false);
}

// --- a leader that stands still ---

class OldLeaderTest : public HistoryTest,
                      public testing::WithParamInterface<bool> {
 protected:
  // With the mistake planted, the test must see it.
  bool planted() const { return GetParam(); }
};

// 20418: a read was confirmed by answers to heartbeats from before the leader
// stood still.
TEST_P(OldLeaderTest, Issue20418AReadIsNotConfirmedByOldAnswers) {
  const raft::PlantedBugs bugs{.any_read_round = planted()};
  NodeOptions node;
  node.raft_bugs = &bugs;
  Begin(3, node);
  Member* const old = Leader();
  Put(old, "x", "1");
  Network& network = cluster_->network();
  for (size_t i = 0; i < 3; ++i) network.Hold(At(i).id(), old->id());
  RunFor(milliseconds(250));
  old->Pause();
  network.Cut(AllWays(*old));
  ASSERT_TRUE(WaitForAnother(old));
  Put(Leader(), "x", "2");
  old->Resume();
  std::optional<Status> answer;
  old->node()->ReadIndex([&](const Status& status) { answer = status; });
  RunFor(milliseconds(20));
  network.ReleaseHeld(milliseconds(50));
  RunFor(milliseconds(200));
  const bool stale =
      answer.has_value() && answer->ok() && ReadHere(old, "x") == "1";
  EXPECT_EQ(stale, planted());
  RunFor(seconds(10));
  network.Heal();
}

// 15247: a leader that had been deposed while it stood still revoked leases,
// which were renewed at the new one.
TEST_P(OldLeaderTest, Issue15247ADeposedLeaderEndsNoLease) {
  NodeOptions node;
  node.bugs.forward_revoke = planted();
  Begin(3, node);
  Member* const old = Leader();
  const LeaseId lease(77);
  CHECK_OK(Grant(old, lease, 3));
  CHECK_OK(PutUnder(old, "a", lease));
  old->Pause();
  cluster_->network().Cut(AllWays(*old));
  ASSERT_TRUE(WaitForAnother(old));
  RunFor(milliseconds(300));
  for (int i = 0; i < 4; ++i) {
    CHECK_OK(Renew(Leader(), lease));
    RunFor(seconds(1));
  }
  CHECK_OK(Renew(Leader(), lease));
  cluster_->network().Heal();
  RunFor(milliseconds(500));
  old->Resume();
  RunFor(seconds(1));
  EXPECT_EQ(ReadHere(Leader(), "a").has_value(), !planted());
}

INSTANTIATE_TEST_SUITE_P(AsItIsAndPlanted, OldLeaderTest, testing::Bool());

// --- locks ---

// Jepsen 2020, 11457: who waited for a lock got it although its lease, and so
// its claim, had ended meanwhile.
TEST_F(HistoryTest, ALockIsNotHeldByWhoseLeaseHasEnded) {
  Begin(3);
  const LeaseId holder(1);
  const LeaseId waiter(2);
  const LeaseId third(3);
  CHECK_OK(Grant(Leader(), holder, 60));
  CHECK_OK(Grant(Leader(), waiter, 2));
  CHECK_OK(Grant(Leader(), third, 60));
  const auto loop = cluster_->world().NewLoop("lock");
  const ClaimWorld world{.node = Follower()->node(),
                         .hub = Follower()->node()->watch_hub(),
                         .loop = loop.get()};
  std::vector<std::shared_ptr<Claim>> claims;
  const auto claim = [&](LeaseId lease) {
    auto outcome = std::make_shared<std::optional<StatusOr<Claim::Held>>>();
    claims.push_back(Claim::Start(
        world,
        {.name = "lock",
         .lease = lease,
         .value = "",
         .lost = UnavailableError("session expired")},
        [outcome](StatusOr<Claim::Held> held) { *outcome = std::move(held); }));
    RunFor(milliseconds(300));
    return outcome;
  };
  const auto first = claim(holder);
  ASSERT_TRUE(first->has_value() && (*first)->ok());
  const auto second = claim(waiter);
  const auto last = claim(third);
  EXPECT_FALSE(second->has_value());
  RunFor(seconds(8));  // nobody renews the waiter's lease
  CHECK_OK(Delete(Leader(), (**first)->key, ""));
  RunFor(seconds(1));
  ASSERT_TRUE(second->has_value());
  EXPECT_EQ((*second)->status().message(), "session expired");
  ASSERT_TRUE(last->has_value());
  EXPECT_TRUE((*last)->ok());
  EXPECT_EQ(ReadHere(Leader(), (**last)->key), "");
}

}  // namespace
}  // namespace strata::sim
