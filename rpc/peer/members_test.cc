#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>

#include "rpc/http/server.h"
#include "rpc/peer/join.h"
#include "rpc/peer/leader_client.h"
#include "rpc/peer/members_json.h"
#include "rpc/peer/transport.h"

namespace strata::peer {
namespace {

// As a member of etcd 3.4.23 answered.
constexpr char kMembers[] =
    R"([{"id":491137535911294882,"peerURLs":["http://127.0.0.1:24122"],)"
    R"("name":"m2","clientURLs":["http://127.0.0.1:24102"]},)"
    R"({"id":2561727358938787210,"peerURLs":["http://127.0.0.1:24123"],)"
    R"("isLearner":true}])"
    "\n";

TEST(MembersJsonTest, AsEtcdWritesThem) {
  const auto members = DecodeMembersJson(kMembers);
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->members.size(), 2U);
  EXPECT_EQ(members->members.begin()->second.name, "m2");
  EXPECT_TRUE(members->members.rbegin()->second.is_learner);
  EXPECT_EQ(EncodeMembersJson(*members), kMembers);
  EXPECT_EQ(EncodeMembersJson({}), "[]\n");
  EXPECT_FALSE(DecodeMembersJson("{}").ok());
  EXPECT_FALSE(DecodeMembersJson(R"([{"id":"x"}])").ok());
}

TEST(MembersJsonTest, Versions) {
  const char decided[] = R"({"etcdserver":"3.4.23","etcdcluster":"3.4.0"})";
  const auto versions = DecodeVersionsJson(decided);
  ASSERT_TRUE(versions.ok());
  EXPECT_EQ(versions->cluster, "3.4.0");
  EXPECT_EQ(EncodeVersionsJson(*versions), decided);
  const char open[] = R"({"etcdserver":"3.4.23","etcdcluster":"not_decided"})";
  EXPECT_EQ(DecodeVersionsJson(open)->cluster, "");
  EXPECT_EQ(EncodeVersionsJson({"3.4.23", ""}), open);
}

// A member that tells who is in the cluster, and at which version.
class JoinTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto answer = [](std::string path, const std::string* body) {
      return WholeBodyRoute(std::move(path), 0,
                            [body](const HttpRequest&, const std::string&,
                                   const HttpReply& reply) {
                              reply({.status = 200,
                                     .headers = {{"X-Etcd-Cluster-ID", "c1"}},
                                     .body = *body});
                            });
    };
    server_ = HttpServer::New(&thread_, {answer("/members", &members_),
                                         answer("/version", &version_)});
    const auto port = server_->Listen("127.0.0.1:0", {});
    ASSERT_TRUE(port.ok());
    url_ = "http://127.0.0.1:" + std::to_string(*port);
    members_ = R"([{"id":1,"peerURLs":[")" + url_ +
               R"("],"name":"a","clientURLs":["http://c:1"]},)"
               R"({"id":2,"peerURLs":["http://127.0.0.1:9"]}])";
    request_ = {.name = "b",
                .initial_cluster = {
                    {.id = MemberId(7), .peer_urls = {url_}, .name = "a"},
                    {.id = MemberId(2),
                     .peer_urls = {"http://127.0.0.1:9"},
                     .name = "b"}}};
  }
  void TearDown() override { server_->Shutdown(std::chrono::seconds(1)); }

  StatusOr<JoinedCluster> Join() {
    return JoinCluster(client_.get(), request_, Logger::Null());
  }

  IoThread thread_{"members"};
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_ = HttpClient::New("joiner");
  std::string url_;
  std::string members_;
  std::string version_ = R"({"etcdserver":"3.4.23","etcdcluster":"3.4.0"})";
  JoinRequest request_;
};

TEST_F(JoinTest, FindsItself) {
  const auto joined = Join();
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->cluster.id, ClusterId(0xc1));
  EXPECT_EQ(joined->cluster.self, MemberId(2));
  EXPECT_EQ(joined->cluster.members.size(), 2U);
  EXPECT_EQ(joined->level, Level::V3_4());
}

TEST_F(JoinTest, RefusalsAreEtcds) {
  const JoinRequest right = request_;
  request_.initial_cluster.push_back(
      {.peer_urls = {"http://x:1"}, .name = "x"});
  EXPECT_NE(Join().status().message().find("member count is unequal"),
            std::string::npos);
  request_ = right;
  request_.initial_cluster[1].peer_urls = {"http://127.0.0.1:10"};
  EXPECT_NE(Join().status().message().find("unmatched member"),
            std::string::npos);
  request_ = right;
  version_ = R"({"etcdserver":"3.9.0","etcdcluster":"3.9.0"})";
  EXPECT_EQ(Join().status().message(),
            "incompatible with current running cluster");
  request_.initial_cluster[0].peer_urls = {"http://127.0.0.1:9"};
  EXPECT_NE(Join().status().message().find(
                "could not retrieve cluster information from the given URLs"),
            std::string::npos);
}

TEST_F(JoinTest, AMemberThatWasStartedBeforeIsToldSo) {
  EXPECT_TRUE(CheckNotStartedBefore(client_.get(), request_).ok());
  members_ = R"([{"id":2,"peerURLs":["http://127.0.0.1:9"],"name":"b",)"
             R"("clientURLs":["http://c:2"]}])";
  EXPECT_EQ(CheckNotStartedBefore(client_.get(), request_).message(),
            "member 2 has already been bootstrapped");
}

TEST_F(JoinTest, ProbesAskEachUrl) {
  const auto probe = [this](std::vector<std::string> urls) {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Status> result;
    Probe(client_.get(), std::move(urls), [&](const Status& status) {
      const std::lock_guard lock(mutex);
      result = status;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return result.has_value(); });
    return *result;
  };
  EXPECT_TRUE(probe({url_}).ok());
  EXPECT_TRUE(probe({url_, "http://127.0.0.1:9"}).ok());
  EXPECT_EQ(probe({"http://127.0.0.1:9"}).message(),
            "connect: Connection refused");
}

// As in etcd: a member may have a URL in a network that is down.
TEST_F(JoinTest, AMemberIsAskedAtEachOfItsUrls) {
  const auto transport = PeerTransport::New(Logger::Null());
  transport->Identify({.member = MemberId(2), .cluster = ClusterId(0xc1)});
  transport->SetPeer(MemberId(1), {"http://127.0.0.1:9", url_});
  std::promise<StatusOr<std::string>> version;
  NewLeaderClient(transport.get())->Version(MemberId(1), [&](auto said) {
    version.set_value(std::move(said));
  });
  const auto said = version.get_future().get();
  ASSERT_TRUE(said.ok()) << said.status();
  EXPECT_EQ(*said, "3.4.23");
}

}  // namespace
}  // namespace strata::peer
