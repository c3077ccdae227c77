#include "server/identity.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace strata {
namespace {

// What etcd prints for a member started without any flag.
TEST(Identity, OfEtcdsDefaultFlags) {
  MemberId member = MakeMemberId({"http://localhost:2380"}, "etcd-cluster");
  EXPECT_EQ(HexId(member.value()), "8e9e05c52164694d");
  EXPECT_EQ(HexId(MakeClusterId({member}).value()), "cdf818194e3a8c32");
}

TEST(Identity, DoesNotDependOnOrder) {
  EXPECT_EQ(MakeMemberId({"http://a:1", "http://b:1"}, "t"),
            MakeMemberId({"http://b:1", "http://a:1"}, "t"));
  EXPECT_EQ(MakeClusterId({MemberId(1), MemberId(2)}),
            MakeClusterId({MemberId(2), MemberId(1)}));
}

TEST(Identity, ReadsInitialCluster) {
  auto members = ParseInitialCluster(
      "b=http://b:2380,a=http://a:2380,b=http://b:2381", "t");
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ((*members)[0].name, "a");
  EXPECT_EQ((*members)[1].peer_urls,
            (std::vector<std::string>{"http://b:2380", "http://b:2381"}));
}

TEST(Identity, SaysWhatIsWrongWithInitialCluster) {
  EXPECT_EQ(ParseInitialCluster("a", "t").status().message(),
            "initial-cluster: \"a\" is not NAME=URL");
  EXPECT_EQ(
      ParseInitialCluster("a=http://x,b=http://x", "t").status().message(),
      "initial-cluster: members a and b have the same URLs");
}

TEST(Identity, FindsTheLocalMember) {
  auto members = ParseInitialCluster("a=http://a:2380", "t");
  ASSERT_TRUE(members.ok());
  EXPECT_TRUE(FindLocalMember(*members, "a", {"http://a:2380"}).ok());
  EXPECT_EQ(
      FindLocalMember(*members, "z", {"http://a:2380"}).status().message(),
      "couldn't find local name \"z\" in the initial cluster "
      "configuration");
  EXPECT_FALSE(FindLocalMember(*members, "a", {"http://a:9"}).ok());
}

}  // namespace
}  // namespace strata
