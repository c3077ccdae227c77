#include "tests/sim/cluster.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/check.h"

namespace strata::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClusterTest : public testing::Test {
 protected:
  // All members show the same, and have applied the same.
  void ExpectEqual(Cluster* cluster) {
    std::optional<HashKvResult> first;
    for (size_t i = 0; i < cluster->size(); ++i) {
      if (!cluster->member(i).up()) continue;
      const auto hash = cluster->member(i)->store()->HashKv(Revision(0));
      CHECK_OK(hash);
      if (!first) first = *hash;
      EXPECT_EQ(hash->hash, first->hash) << "member " << i;
      EXPECT_EQ(hash->current, first->current) << "member " << i;
    }
  }
};

TEST_F(ClusterTest, ThreeMembersElectOneAndAllHaveWhatIsPut) {
  Cluster cluster({});
  CHECK_OK(cluster.StartAll());
  Member* const leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  for (size_t i = 0; i < 3; ++i) {
    const auto put =
        cluster.Put(&cluster.member(i), "k" + std::to_string(i), "v");
    ASSERT_TRUE(put.ok()) << put.status().ToString();
    EXPECT_EQ(*put, Revision(2 + static_cast<int64_t>(i)));
  }
  for (size_t i = 0; i < 3; ++i) {
    const auto value = cluster.Get(&cluster.member(i), "k2");
    ASSERT_TRUE(value.ok()) << value.status().ToString();
    EXPECT_EQ(*value, "v");
  }
  cluster.RunFor(seconds(3));
  ExpectEqual(&cluster);
  // Each has told its name and URLs, and the leader the version.
  const Membership members = cluster.member(0)->membership();
  ASSERT_EQ(members.members.size(), 3U);
  EXPECT_EQ(members.cluster_version, "3.5.0");
  for (const auto& [id, member] : members.members) {
    EXPECT_EQ(member.client_urls.size(), 1U) << member.name;
  }
}

TEST_F(ClusterTest, AnotherLeadsWhenTheLeaderDies) {
  Cluster cluster({});
  CHECK_OK(cluster.StartAll());
  Member* const first = cluster.WaitForLeader();
  ASSERT_NE(first, nullptr);
  CHECK_OK(cluster.Put(first, "a", "1"));
  first->LosePower(7);
  Member* const second = cluster.WaitForLeader();
  ASSERT_NE(second, nullptr);
  ASSERT_NE(second, first);
  CHECK_OK(cluster.Put(second, "b", "2"));
  CHECK_OK(first->Start());
  const auto value = cluster.Get(first, "b");
  ASSERT_TRUE(value.ok()) << value.status().ToString();
  EXPECT_EQ(*value, "2");
  cluster.RunFor(seconds(2));
  ExpectEqual(&cluster);
}

TEST_F(ClusterTest, AllLosePowerAndComeBackWithAllThatWasAcknowledged) {
  Cluster cluster({});
  CHECK_OK(cluster.StartAll());
  ASSERT_NE(cluster.WaitForLeader(), nullptr);
  for (int round = 0; round < 5; ++round) {
    Member* const leader = cluster.WaitForLeader();
    for (int i = 0; i < 20; ++i) {
      CHECK_OK(
          cluster.Put(leader, "k" + std::to_string(i), std::to_string(round)));
    }
    for (size_t i = 0; i < 3; ++i) {
      cluster.member(i).LosePower(static_cast<uint64_t>(round) * 3 + i);
    }
    CHECK_OK(cluster.StartAll());
    ASSERT_NE(cluster.WaitForLeader(), nullptr);
    for (int i = 0; i < 20; ++i) {
      const auto value =
          cluster.Get(&cluster.member(0), "k" + std::to_string(i));
      ASSERT_TRUE(value.ok()) << value.status().ToString();
      EXPECT_EQ(*value, std::to_string(round));
    }
  }
  cluster.RunFor(seconds(2));
  ExpectEqual(&cluster);
}

TEST_F(ClusterTest, ALeaderThatIsCutOffAnswersNoReadAndNoWrite) {
  Cluster cluster({});
  CHECK_OK(cluster.StartAll());
  Member* const leader = cluster.WaitForLeader();
  CHECK_OK(cluster.Put(leader, "a", "1"));
  for (size_t i = 0; i < 3; ++i) {
    if (&cluster.member(i) == leader) cluster.Isolate(i);
  }
  EXPECT_EQ(cluster.Get(leader, "a").status().ToString(),
            "Unavailable: etcdserver: request timed out");
  EXPECT_FALSE(cluster.Put(leader, "a", "2").ok());
  Member* const next = cluster.WaitForLeader();
  ASSERT_NE(next, leader);
  CHECK_OK(cluster.Put(next, "a", "3"));
  cluster.network().Heal();
  const auto value = cluster.Get(leader, "a");
  ASSERT_TRUE(value.ok()) << value.status().ToString();
  EXPECT_EQ(*value, "3");
  cluster.RunFor(seconds(2));
  ExpectEqual(&cluster);
}

// The log goes on from a raft snapshot whose file is damaged: the start names
// it and changes nothing, so that one who has a copy can put it there.
TEST_F(ClusterTest, ADamagedRaftSnapshotIsNamedAndNothingIsChanged) {
  NodeOptions node;
  node.snapshot_count = 100;
  node.snapshot_catch_up_entries = 1;
  node.max_wals = 1;
  node.max_snapshots = 1;
  Cluster cluster({.node = node});
  CHECK_OK(cluster.StartAll());
  Member* const leader = cluster.WaitForLeader();
  for (int i = 0; i < 500; ++i) {
    CHECK_OK(cluster.Put(leader, "a", std::string(1000, 'x')));
  }
  Member* const member = &cluster.member(0);
  member->Kill();
  const std::string directory = "data/member/snap";
  std::vector<std::string> damaged;
  for (const std::string& name : *member->env()->List(directory)) {
    if (name.ends_with(".snap")) damaged.push_back(directory + "/" + name);
  }
  ASSERT_FALSE(damaged.empty());
  for (const auto& path : damaged) member->env()->FlipBit(path, 20, 3);
  for (int i = 0; i < 2; ++i) {
    const Status started = member->Start();
    EXPECT_EQ(started.code(), Code::kDataLoss) << started.ToString();
    EXPECT_NE(started.message().find(damaged.back()), std::string::npos)
        << started.ToString();
  }
  for (const auto& path : damaged) member->env()->FlipBit(path, 20, 3);
  CHECK_OK(member->Start());
  cluster.RunFor(seconds(2));
  ExpectEqual(&cluster);
}

}  // namespace
}  // namespace strata::sim
