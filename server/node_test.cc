#include "server/node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "base/fake_env.h"
#include "engine/btree_backend.h"
#include "server/incoming_snapshot.h"
#include "server/sim_node.h"
#include "wal/wal.h"

namespace strata {
namespace {

using etcdserverpb::InternalRaftRequest;

std::map<std::string, std::string> AllFiles(Env* env, const std::string& dir) {
  std::map<std::string, std::string> files;
  for (const std::string& name : env->List(dir).value()) {
    const std::string path = JoinPath(dir, name);
    if (env->List(path).ok()) {
      files.merge(AllFiles(env, path));
    } else {
      files[path] = ReadFile(env, path, 1 << 30).value();
    }
  }
  return files;
}

class NodeTest : public testing::Test {
 protected:
  void Fill(int puts) {
    for (int i = 0; i < puts; ++i) {
      const auto revision =
          node_.Put("k" + std::to_string(i % 10), "value " + std::to_string(i));
      ASSERT_TRUE(revision.ok()) << revision.status();
    }
  }
  // A directory of a stopped node, its backend changed by `change`.
  void ChangeBackend(const std::function<void(Batch*)>& change) {
    node_.Kill();
    BtreeOptions options;
    options.initial_mmap_bytes = 1 << 20;
    auto backend =
        OpenBtreeBackend(&env_, "data/member/snap/db", options, Logger::Null());
    ASSERT_TRUE(backend.ok()) << backend.status();
    Batch batch;
    change(&batch);
    ASSERT_TRUE((*backend)->Write(batch).ok());
    ASSERT_TRUE((*backend)->Sync().ok());
  }
  // The log of a stopped node, with one more entry.
  void AppendEntry(raft::EntryType type, std::string data) {
    node_.Kill();
    WalContent content;
    auto wal = Wal::Open(&env_, "data/member/wal", {}, LogIndex(),
                         {.segment_bytes = 64 << 10}, Logger::Null(), &content);
    ASSERT_TRUE(wal.ok()) << wal.status();
    raft::Entry entry = content.entries.back();
    ++entry.index;
    entry.type = type;
    entry.data = std::move(data);
    (*wal)->Append({&entry, 1}, content.hard_state);
    ASSERT_TRUE((*wal)->Sync().ok());
  }
  void ExpectRefusedAndUntouched(std::string_view why) {
    const auto before = AllFiles(&env_, "data");
    const Status opened = node_.Open();
    EXPECT_FALSE(opened.ok());
    EXPECT_NE(opened.message().find(why), std::string::npos) << opened;
    EXPECT_EQ(AllFiles(&env_, "data"), before);
  }

  FakeEnv env_;
  SimNode node_{&env_};
};

TEST_F(NodeTest, ANewMemberHasEtcdsIdsAndTerm) {
  ASSERT_TRUE(node_.Open().ok());
  EXPECT_EQ(node_->member_id(), MemberId(0x8e9e05c52164694d));
  EXPECT_EQ(node_->cluster_id(), ClusterId(0xcdf818194e3a8c32));
  EXPECT_EQ(node_->replication().term, Term(2));
  EXPECT_EQ(node_->replication().leader, node_->member_id());
  EXPECT_EQ(node_->store()->revision(), Revision(1));
  const Membership membership = node_->membership();
  ASSERT_EQ(membership.members.size(), 1u);
  EXPECT_EQ(membership.members.begin()->second.name, "default");
  EXPECT_EQ(membership.cluster_version, "3.5.0");
}

TEST_F(NodeTest, ComesBackFromTheLogAlone) {
  ASSERT_TRUE(node_.Open().ok());
  ASSERT_EQ(node_.Put("a", "1").value(), Revision(2));
  ASSERT_EQ(node_.Put("a", "2").value(), Revision(3));
  ASSERT_TRUE(node_.Open().ok());  // nothing was flushed
  EXPECT_EQ(node_->store()->revision(), Revision(3));
  EXPECT_EQ(node_.Get("a"), "2");
  EXPECT_EQ(node_.Get("a", Revision(2)), "1");
  EXPECT_EQ(node_->replication().term, Term(3));
}

TEST_F(NodeTest, ComesBackFromTheBackendAndTheLog) {
  ASSERT_TRUE(node_.Open().ok());
  Fill(20);
  node_.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(node_->store()->flushed(), node_->store()->applied());
  Fill(5);
  ASSERT_TRUE(node_.Open().ok());
  EXPECT_EQ(node_->store()->revision(), Revision(26));
  EXPECT_EQ(node_.Get("k4"), "value 4");
  EXPECT_EQ(node_->membership().members.size(), 1u);
}

TEST_F(NodeTest, ReleasesOldSegmentsAndStartsFromTheSnapshot) {
  node_.options().snapshot_count = 50;
  node_.options().snapshot_catch_up_entries = 10;
  node_.options().max_wals = 2;
  node_.options().max_snapshots = 2;
  ASSERT_TRUE(node_.Open().ok());
  const std::string big(2000, 'x');
  for (int i = 0; i < 400; ++i) {
    ASSERT_TRUE(node_.Put("k" + std::to_string(i), big).ok());
    node_.RunFor(std::chrono::milliseconds(20));
  }
  const auto segments = env_.List("data/member/wal").value();
  EXPECT_LE(segments.size(), 4u);
  EXPECT_EQ(segments.front().find("0000000000000000-"), std::string::npos);
  ASSERT_TRUE(node_.Open().ok());
  EXPECT_EQ(node_->store()->revision(), Revision(401));
  EXPECT_EQ(node_.Get("k0"), big);
  EXPECT_EQ(node_->membership().members.begin()->second.name, "default");
  EXPECT_EQ(node_->membership().cluster_version, "3.5.0");
}

// As etcd: 0 is all of them.
TEST_F(NodeTest, KeepsAllSegmentsAndSnapshotsIfAskedTo) {
  node_.options().snapshot_count = 50;
  node_.options().snapshot_catch_up_entries = 10;
  for (const uint64_t max_wals : {1, 0}) {
    node_.options().max_wals = max_wals;
    node_.options().max_snapshots = 0;
    ASSERT_TRUE(node_.Open().ok());
    for (int i = 0; i < 400; ++i) {
      ASSERT_TRUE(node_.Put("k", std::string(2000, 'x')).ok());
      node_.RunFor(std::chrono::milliseconds(20));
    }
    const auto snapshots = env_.List("data/member/snap").value();
    EXPECT_GT(snapshots.size(), 7u);
    const Status opened = node_.Open();
    ASSERT_TRUE(opened.ok()) << opened;
    const auto segments = env_.List("data/member/wal").value();
    EXPECT_EQ(segments.size() > 10, max_wals == 0);
  }
}

// As etcd: 0 is the default. It is not a snapshot for each entry.
TEST_F(NodeTest, TakesASnapshotAfterTheDefaultsEntriesIfNoNumberIsGiven) {
  node_.options().snapshot_count = 0;
  node_.options().snapshot_catch_up_entries = 0;
  ASSERT_TRUE(node_.Open().ok());
  Fill(100);
  node_.RunFor(std::chrono::seconds(1));
  for (const std::string& name : env_.List("data/member/snap").value()) {
    EXPECT_FALSE(name.ends_with(".snap")) << name;
  }
}

// Raft had no use for them: this member was quicker than they.
TEST_F(NodeTest, RemovesDatabasesThatCameTooLate) {
  node_.options().snapshot_count = 50;
  ASSERT_TRUE(node_.Open().ok());
  const auto path = [](LogIndex index, const std::string& suffix) {
    return IncomingDatabasePath("data/member/snap", index) + suffix;
  };
  for (const std::string& name :
       {path(LogIndex(3), ""), path(LogIndex(3), ".part"),
        path(LogIndex(1'000'000), "")}) {
    ASSERT_TRUE(env_.Open(name, OpenMode::kCreate).ok());
  }
  Fill(100);
  node_.RunFor(std::chrono::seconds(1));
  EXPECT_FALSE(env_.Exists(path(LogIndex(3), "")));
  EXPECT_TRUE(env_.Exists(path(LogIndex(3), ".part"))) << "it still comes";
  EXPECT_TRUE(env_.Exists(path(LogIndex(1'000'000), "")));
}

// Large entries fill the log long before they are many.
TEST_F(NodeTest, TakesASnapshotAfterSoManyBytesOfTheLog) {
  const auto snapshots = [this] {
    const auto names = env_.List("data/member/snap").value();
    return std::ranges::count_if(
        names, [](const std::string& name) { return name.ends_with(".snap"); });
  };
  for (const uint64_t bytes : {0, 100'000}) {
    node_.options().snapshot_bytes = bytes;
    ASSERT_TRUE(node_.Open().ok());
    for (int i = 0; i < 35; ++i) {
      ASSERT_TRUE(node_.Put("k", std::string(10'000, 'x')).ok());
      node_.RunFor(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(snapshots(), bytes == 0 ? 0 : 3) << bytes;
  }
}

TEST_F(NodeTest, AFullDiskRefusesWritesServesReadsAndRecovers) {
  ASSERT_TRUE(node_.Open().ok());
  Fill(10);
  const Revision before = node_->store()->revision();
  env_.SetCapacity(env_.UsedBytes());
  const std::string big(4000, 'x');
  Revision last = before;
  Status refused;
  for (int i = 0; i < 200 && refused.ok(); ++i) {
    const auto put = node_.Put("big", big);
    if (put.ok()) last = *put;
    refused = put.status();
  }
  EXPECT_EQ(refused.code(), Code::kResourceExhausted) << refused;
  EXPECT_TRUE(node_.fatal().ok()) << node_.fatal();
  EXPECT_EQ(node_.Get("k3"), "value 3");
  EXPECT_EQ(node_->store()->revision(), last);

  env_.SetCapacity(UINT64_MAX);
  node_.RunFor(std::chrono::seconds(5));
  EXPECT_EQ(node_.Put("after", "1").value(), last + 1);
  ASSERT_TRUE(node_.Open().ok());
  EXPECT_EQ(node_->store()->revision(), last + 1);
  EXPECT_EQ(node_.Get("after"), "1");
}

TEST_F(NodeTest, AFailedSyncStopsTheNode) {
  ASSERT_TRUE(node_.Open().ok());
  Fill(3);
  env_.Inject({.operation = DiskOperation::kSync, .path_part = ".wal"});
  EXPECT_FALSE(node_.Put("k", "v").ok());
  EXPECT_FALSE(node_.fatal().ok());
  EXPECT_FALSE(node_.Put("k", "v").ok());  // though the next sync would work
  EXPECT_EQ(node_->store()->revision(), Revision(4));
}

TEST_F(NodeTest, RefusesWhatItDoesNotHaveYet) {
  ASSERT_TRUE(node_.Open().ok());
  Fill(3);
  node_.RunFor(std::chrono::seconds(1));
  ChangeBackend([](Batch* batch) {
    batch->Put(Table::kAuth, "authEnabled", std::string(1, '\1'));
  });
  ExpectRefusedAndUntouched("authentication is enabled");
}

TEST_F(NodeTest, RefusesEntriesItCannotApply) {
  ASSERT_TRUE(node_.Open().ok());
  Fill(3);
  InternalRaftRequest request;
  request.mutable_auth_enable();
  AppendEntry(raft::EntryType::kNormal, request.SerializeAsString());
  ExpectRefusedAndUntouched("auth_enable");
}

TEST_F(NodeTest, RefusesADirectoryOfSeveralMembers) {
  ASSERT_TRUE(node_.Open().ok());
  raft::ConfChange change;
  change.type = raft::ConfChangeType::kAddNode;
  change.node = MemberId(0x1234);
  change.context = R"({"id":4660,"peerURLs":["http://other:2380"]})";
  AppendEntry(raft::EntryType::kConfChange, raft::EncodeConfChange(change));
  ExpectRefusedAndUntouched("a cluster of several members");
}

TEST_F(NodeTest, KeepsTheLevelOfTheDirectory) {
  node_.options().level = Level::V3_4();
  ASSERT_TRUE(node_.Open().ok());
  EXPECT_EQ(node_->membership().cluster_version, "3.4.0");
  node_.options().level = std::nullopt;
  ASSERT_TRUE(node_.Open().ok());
  EXPECT_EQ(node_->level(), Level::V3_4());
  node_.options().level = Level::V3_5();
  ASSERT_TRUE(node_.Open().ok());
  EXPECT_EQ(node_->membership().cluster_version, "3.5.0");
  node_.Kill();
  node_.options().level = Level::V3_4();
  ExpectRefusedAndUntouched("cluster cannot be downgraded");
}

TEST_F(NodeTest, RefusesAProposalThatIsTooLarge) {
  node_.options().max_request_bytes = 1000;
  ASSERT_TRUE(node_.Open().ok());
  const Status refused = node_.Put("k", std::string(1000, 'x')).status();
  EXPECT_EQ(refused.message(), "etcdserver: request is too large");
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
}

class NodeLeaseTest : public NodeTest {
 protected:
  // The outcome of a request of this kind.
  Status Grant(int64_t id, int64_t ttl) {
    InternalRaftRequest request;
    request.mutable_lease_grant()->set_id(id);
    request.mutable_lease_grant()->set_ttl(ttl);
    return node_.Propose(std::move(request)).status();
  }
  Status Revoke(int64_t id) {
    InternalRaftRequest request;
    request.mutable_lease_revoke()->set_id(id);
    return node_.Propose(std::move(request)).status();
  }
  Status PutWithLease(const std::string& key, int64_t lease) {
    InternalRaftRequest request;
    request.mutable_put()->set_key(key);
    request.mutable_put()->set_lease(lease);
    return node_.Propose(std::move(request)).status();
  }
};

TEST_F(NodeLeaseTest, KeysGoWhenTheirLeaseEnds) {
  ASSERT_TRUE(node_.Open().ok());
  ASSERT_TRUE(Grant(7, 10).ok());
  ASSERT_TRUE(Grant(8, 100).ok());
  ASSERT_TRUE(PutWithLease("b", 7).ok());
  ASSERT_TRUE(PutWithLease("a", 7).ok());
  ASSERT_TRUE(PutWithLease("c", 8).ok());
  ASSERT_TRUE(PutWithLease("d", 7).ok());
  ASSERT_TRUE(node_.Put("d", "free").ok());  // hangs on it no more
  const Revision before = node_->store()->revision();
  node_.RunFor(std::chrono::milliseconds(9900));
  EXPECT_TRUE(node_.Get("a").has_value());
  node_.RunFor(std::chrono::milliseconds(300));
  EXPECT_FALSE(node_.Get("a").has_value());
  EXPECT_FALSE(node_.Get("b").has_value());
  EXPECT_TRUE(node_.Get("c").has_value());
  EXPECT_TRUE(node_.Get("d").has_value());
  EXPECT_EQ(node_->store()->revision(), before + 1);  // one, for both
  EXPECT_EQ(node_->Leases(), std::vector{LeaseId(8)});
}

// At every stage: in the log alone, and in the backend.
TEST_F(NodeLeaseTest, LeasesAndTheirKeysSurviveARestart) {
  for (const auto rest :
       {Duration::zero(), Duration(std::chrono::seconds(1))}) {
    ASSERT_TRUE(node_.Open().ok());
    ASSERT_TRUE(Grant(7, 50).ok());
    ASSERT_TRUE(PutWithLease("a", 7).ok());
    ASSERT_TRUE(PutWithLease("b", 7).ok());
    ASSERT_TRUE(node_.Put("b", "free").ok());
    node_.RunFor(std::chrono::seconds(20));
    node_.RunFor(rest);
    ASSERT_TRUE(node_.Open().ok());
    EXPECT_EQ(node_->store()->leases().Keys(LeaseId(7)),
              std::vector<std::string>{"a"});
    const StatusOr<Duration> left = node_->LeaseTimeLeft(LeaseId(7));
    ASSERT_TRUE(left.ok());
    EXPECT_GT(*left, std::chrono::seconds(49));
    EXPECT_LE(*left, std::chrono::seconds(51));
    ASSERT_TRUE(Revoke(7).ok());
    EXPECT_FALSE(node_.Get("a").has_value());
    EXPECT_EQ(node_.Get("b"), "free");
    EXPECT_EQ(Revoke(7).message(), "etcdserver: requested lease not found");
  }
}

// Over a restart only if it is asked for, or the level says so.
TEST_F(NodeLeaseTest, WhatIsLeftAtACheckpoint) {
  node_.options().lease_checkpoints = true;
  for (const bool persisted : {false, true}) {
    node_.options().persist_lease_checkpoints = persisted;
    ASSERT_TRUE(node_.Open().ok());
    ASSERT_TRUE(Grant(7, 1000).ok());
    node_.RunFor(std::chrono::seconds(302));
    EXPECT_EQ(node_->store()->leases().Find(LeaseId(7))->remaining_seconds,
              700);
    ASSERT_TRUE(node_.Open().ok());
    const auto left = node_->LeaseTimeLeft(LeaseId(7));
    ASSERT_TRUE(left.ok());
    EXPECT_LE(*left, std::chrono::seconds(persisted ? 701 : 1001));
    EXPECT_GT(*left, std::chrono::seconds(persisted ? 699 : 999));
    ASSERT_TRUE(Revoke(7).ok());
  }
}

TEST_F(NodeLeaseTest, ARenewedLeaseStays) {
  ASSERT_TRUE(node_.Open().ok());
  ASSERT_TRUE(Grant(7, 10).ok());
  ASSERT_TRUE(PutWithLease("a", 7).ok());
  for (int i = 0; i < 5; ++i) {
    node_.RunFor(std::chrono::seconds(8));
    node_->RenewLease(LeaseId(7), [](const StatusOr<int64_t>& ttl) {
      ASSERT_TRUE(ttl.ok());
      EXPECT_EQ(*ttl, 10);
    });
  }
  EXPECT_TRUE(node_.Get("a").has_value());
  node_.RunFor(std::chrono::seconds(11));
  EXPECT_FALSE(node_.Get("a").has_value());
}

class NodeAlarmTest : public NodeTest {
 protected:
  // The alarms that the answer names.
  size_t Alarm(etcdserverpb::AlarmRequest::AlarmAction action,
               etcdserverpb::AlarmType type, uint64_t member = 1) {
    InternalRaftRequest request;
    request.mutable_alarm()->set_action(action);
    request.mutable_alarm()->set_memberid(member);
    request.mutable_alarm()->set_alarm(type);
    const auto result = node_.Propose(std::move(request));
    EXPECT_TRUE(result.ok());
    return std::get<AlarmResult>(*result).alarms.size();
  }
  Status Delete(const std::string& key) {
    InternalRaftRequest request;
    request.mutable_delete_range()->set_key(key);
    return node_.Propose(std::move(request)).status();
  }
  Status Txn(bool puts) {
    InternalRaftRequest request;
    auto* op = request.mutable_txn()->add_success();
    if (puts) {
      op->mutable_request_put()->set_key("t");
    } else {
      op->mutable_request_delete_range()->set_key("t");
    }
    return node_.Propose(std::move(request)).status();
  }
  Status Compact(int64_t revision) {
    InternalRaftRequest request;
    request.mutable_compaction()->set_revision(revision);
    return node_.Propose(std::move(request)).status();
  }
  static constexpr auto kActivate = etcdserverpb::AlarmRequest::ACTIVATE;
  static constexpr auto kDeactivate = etcdserverpb::AlarmRequest::DEACTIVATE;
  static constexpr auto kGet = etcdserverpb::AlarmRequest::GET;
};

TEST_F(NodeAlarmTest, UnderNoSpaceOnlyWhatAddsDataIsRefused) {
  ASSERT_TRUE(node_.Open().ok());
  ASSERT_TRUE(node_.Put("k", "v").ok());
  EXPECT_EQ(Alarm(kActivate, etcdserverpb::NOSPACE), 1u);
  EXPECT_EQ(Alarm(kActivate, etcdserverpb::NOSPACE, 2), 1u);
  EXPECT_EQ(Alarm(kGet, etcdserverpb::NONE), 2u);
  for (const Status& status : {node_.Put("k", "w").status(), Txn(true)}) {
    EXPECT_EQ(status.message(), "etcdserver: mvcc: database space exceeded");
    EXPECT_EQ(status.code(), Code::kResourceExhausted);
  }
  EXPECT_TRUE(Txn(false).ok());
  EXPECT_TRUE(Delete("k").ok());
  EXPECT_TRUE(Compact(2).ok());
  // Raised it stays, through a restart from the log and from the backend.
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(node_.Open().ok());
    EXPECT_EQ(node_->alarms().size(), 2u);
    EXPECT_FALSE(node_.Put("k", "w").ok());
    node_.RunFor(std::chrono::seconds(1));
  }
  EXPECT_EQ(Alarm(kDeactivate, etcdserverpb::NOSPACE), 1u);
  EXPECT_EQ(Alarm(kDeactivate, etcdserverpb::NOSPACE), 0u);
  EXPECT_FALSE(node_.Put("k", "w").ok());  // the other member's is raised
  EXPECT_EQ(Alarm(kDeactivate, etcdserverpb::NOSPACE, 2), 1u);
  EXPECT_TRUE(node_.Put("k", "w").ok());
}

TEST_F(NodeAlarmTest, UnderCorruptNearlyAllIsRefused) {
  ASSERT_TRUE(node_.Open().ok());
  ASSERT_TRUE(node_.Put("k", "v").ok());
  Alarm(kActivate, etcdserverpb::CORRUPT);
  for (const Status& status :
       {node_.Put("k", "w").status(), Txn(false), Delete("k"), Compact(2)}) {
    EXPECT_EQ(status.message(), "etcdserver: corrupt cluster");
    EXPECT_EQ(status.code(), Code::kDataLoss);
  }
  EXPECT_EQ(node_.Get("k"), "v");
  EXPECT_TRUE(node_.fatal().ok());  // a refusal, no damage met
  Alarm(kDeactivate, etcdserverpb::CORRUPT);
  EXPECT_TRUE(node_.Put("k", "w").ok());
}

TEST_F(NodeAlarmTest, TheQuotaRaisesTheAlarm) {
  node_.options().quota_backend_bytes = 1 << 20;
  ASSERT_TRUE(node_.Open().ok());
  const std::string value(10'000, 'x');
  int puts = 0;
  Status refused;
  while (refused.ok() && ++puts < 1000) {
    refused = node_.Put("k" + std::to_string(puts), value).status();
  }
  EXPECT_EQ(refused.message(), "etcdserver: mvcc: database space exceeded");
  EXPECT_GT(puts, 80);
  EXPECT_LT(puts, 110);
  ASSERT_EQ(node_->alarms().size(), 1u);
  EXPECT_EQ(node_->alarms()[0].member, node_->member_id());
  // Deleting and compacting makes room; then the alarm can be cleared.
  for (int i = 1; i < puts; ++i) {
    ASSERT_TRUE(Delete("k" + std::to_string(i)).ok());
  }
  ASSERT_TRUE(Compact(node_->store()->revision().value()).ok());
  node_.RunFor(std::chrono::seconds(5));
  EXPECT_FALSE(node_.Put("k", value).ok());
  Alarm(kDeactivate, etcdserverpb::NOSPACE, node_->member_id().value());
  EXPECT_TRUE(node_.Put("k", value).ok());
}

}  // namespace
}  // namespace strata
