#include "snapshot/snap_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/bytes.h"

namespace strata {
namespace {

constexpr MemberId kFirst{0xc137cfae40bcdb4c};
constexpr MemberId kSecond{0x0000000000abcdef};

Membership TwoMembers() {
  Membership membership;
  membership.members[kFirst] = {.id = kFirst,
                                .peer_urls = {"http://127.0.0.1:23401"},
                                .name = "n1",
                                .client_urls = {"http://127.0.0.1:23400"}};
  membership.members[kSecond] = {.id = kSecond,
                                 .peer_urls = {"http://a:1", "http://b:2"},
                                 .is_learner = true};
  membership.removed = {MemberId(7)};
  membership.cluster_version = "3.4.0";
  return membership;
}

TEST(MemberJsonTest, BytesOfEtcd) {
  const MemberRecord member = TwoMembers().members[kFirst];
  EXPECT_EQ(
      EncodeMemberJson(member),
      R"({"id":13922825120356555596,"peerURLs":["http://127.0.0.1:23401"],)"
      R"("name":"n1","clientURLs":["http://127.0.0.1:23400"]})");
  EXPECT_EQ(EncodeMemberJson(TwoMembers().members[kSecond]),
            R"({"id":11259375,"peerURLs":["http://a:1","http://b:2"],)"
            R"("isLearner":true})");
  for (const auto& [id, each] : TwoMembers().members) {
    EXPECT_EQ(*DecodeMemberJson(EncodeMemberJson(each)), each);
  }
}

TEST(MemberJsonTest, EscapesAsGoDoes) {
  const MemberRecord member{.id = MemberId(1), .name = "a<b>&\"\xe2\x80\xa8"};
  const std::string json = EncodeMemberJson(member);
  EXPECT_EQ(json, R"({"id":1,"peerURLs":null,)"
                  R"("name":"a\u003cb\u003e\u0026\"\u2028"})");
  EXPECT_EQ(*DecodeMemberJson(json), member);
}

TEST(MemberJsonTest, TakesWhatIsThere) {
  const MemberRecord attributes =
      *DecodeMemberJson(R"({"name":"n1","clientURLs":["u"],"isPromote":true})");
  EXPECT_EQ(attributes.name, "n1");
  EXPECT_EQ(attributes.client_urls, std::vector<std::string>{"u"});
  for (const char* bad :
       {"", "{", "[]", "1", R"({"id":-1})", R"({"id":"1"})", R"({"name":1})",
        R"({"peerURLs":"u"})", R"({"peerURLs":[1]})", R"({"isLearner":0})"}) {
    EXPECT_EQ(DecodeMemberJson(bad).status().code(), Code::kDataLoss) << bad;
  }
}

TEST(V2StoreTest, ComesBack) {
  EXPECT_EQ(*DecodeV2Store(EncodeV2Store(TwoMembers(), LogIndex(40))),
            TwoMembers());
  EXPECT_EQ(*DecodeV2Store(EncodeV2Store(Membership{}, LogIndex(0))),
            Membership{});
}

TEST(V2StoreTest, AUsersKeysAreRefused) {
  auto store =
      nlohmann::ordered_json::parse(EncodeV2Store(TwoMembers(), LogIndex(40)));
  store["Root"]["Children"]["1"]["Children"]["mine"] = {
      {"Path", "/1/mine"}, {"Value", "v"}, {"Children", nullptr}};
  const Status status = DecodeV2Store(store.dump()).status();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.message().find("/1/mine"), std::string::npos) << status;
}

TEST(V2StoreTest, OtherBytesAreRefused) {
  for (
      const char* bad :
      {"", "{}", "[]", R"({"Root":1})", R"({"Root":{"Children":3}})",
       R"({"Root":{"Children":{"0":{"Children":{"version":{"Value":1}}}}}})"}) {
    EXPECT_FALSE(DecodeV2Store(bad).ok()) << bad;
  }
}

class SnapFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/snap_file_test";
    ASSERT_TRUE(env_->RemoveAll(directory_).ok());
    ASSERT_TRUE(env_->MakeDirs(directory_).ok());
  }
  RaftSnapshot Write(uint64_t term, uint64_t index) {
    const RaftSnapshot snapshot{.index = LogIndex(index),
                                .term = Term(term),
                                .conf_state = {.voters = {kFirst}},
                                .data = "data of " + std::to_string(index)};
    EXPECT_TRUE(WriteSnapFile(env_, directory_, snapshot).ok());
    return snapshot;
  }
  std::optional<RaftSnapshot> Load(
      const std::function<bool(Term, LogIndex)>& acceptable) {
    auto found = LoadNewestSnapFile(env_, directory_, acceptable, &damaged_);
    EXPECT_TRUE(found.ok()) << found.ToString();
    return *found;
  }
  static bool Any(Term, LogIndex) { return true; }

  std::vector<DamagedSnapFile> damaged_;

  Env* const env_ = Env::Posix();
  std::string directory_;
};

TEST_F(SnapFileTest, NewestAcceptable) {
  EXPECT_EQ(Load(Any), std::nullopt);
  const RaftSnapshot first = Write(2, 11);
  const RaftSnapshot second = Write(2, 0x16);
  EXPECT_EQ(Load(Any), second);
  EXPECT_EQ(Load([](Term, LogIndex i) { return i == LogIndex(11); }), first);
  EXPECT_EQ(env_->List(directory_)->front(),
            "0000000000000002-000000000000000b.snap");
}

TEST_F(SnapFileTest, EveryDamagedByteIsFoundAndThePreviousUsed) {
  const RaftSnapshot first = Write(2, 11);
  Write(2, 22);
  const std::string path =
      JoinPath(directory_, "0000000000000002-0000000000000016.snap");
  const std::string good = *ReadFile(env_, path, 1 << 20);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x04);
    ASSERT_TRUE(WriteFileAtomically(env_, path, bad).ok());
    damaged_.clear();
    EXPECT_EQ(Load(Any), first) << i;
    ASSERT_EQ(damaged_.size(), 1u) << i;
    EXPECT_NE(damaged_[0].error.message().find(path), std::string::npos);
    EXPECT_TRUE(env_->Exists(path));
    ASSERT_TRUE(SetAside(env_, damaged_, Logger::Null()).ok());
    EXPECT_TRUE(env_->Exists(path + ".broken"));
    ASSERT_TRUE(env_->Remove(path + ".broken").ok());
  }
}

TEST_F(SnapFileTest, KeepsTheNewest) {
  for (uint64_t i = 1; i <= 5; ++i) Write(1, i);
  ASSERT_TRUE(RemoveOldSnapFiles(env_, directory_, 2).ok());
  EXPECT_EQ(
      *env_->List(directory_),
      (std::vector<std::string>{"0000000000000001-0000000000000004.snap",
                                "0000000000000001-0000000000000005.snap"}));
}

}  // namespace
}  // namespace strata
