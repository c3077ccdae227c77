#include "rpc/gateway/gateway.h"

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>

#include "rpc/gateway/paths.h"
#include "rpc/member_testing.h"

namespace strata {
namespace {

// What etcd 3.4.23 said to the same requests, but for the header's ids.
class GatewayTest : public testing::Test {
 protected:
  void SetUp() override { Open(Level::V3_4()); }
  void Open(Level level) {
    member_.reset();
    member_ = std::make_unique<TestMember>(level);
    routes_ = GatewayRoutes(
        {.level = level, .loop = member_->worker(), .max_request_bytes = 4096},
        member_->services()->Methods(), member_->services()->Streams());
  }

  // "200 {...}", ids left out.
  std::string Post(const std::string& path, const std::string& body) {
    const TestAnswer answer = Ask(routes_, "POST", path, body);
    return std::to_string(answer.status) + " " + WithoutIds(answer.body);
  }

  std::string WithoutIds(std::string body) {
    const Node* const node = member_->node();
    const std::string ids = R"("cluster_id":")" +
                            std::to_string(node->cluster_id().value()) +
                            R"(","member_id":")" +
                            std::to_string(node->member_id().value()) + R"(",)";
    const std::string term = R"(,"raft_term":")" +
                             std::to_string(node->replication().term.value()) +
                             "\"";
    for (const std::string& varying : {ids, term}) {
      for (size_t at = body.find(varying); at != std::string::npos;
           at = body.find(varying)) {
        body.erase(at, varying.size());
      }
    }
    return body;
  }

  static std::string Error(int status, int code, const std::string& message) {
    return std::to_string(status) + R"( {"error":")" + message +
           R"(","message":")" + message + R"(","code":)" +
           std::to_string(code) + "}";
  }

  std::unique_ptr<TestExchange> Begin(const std::string& path) {
    HttpRequest request;
    request.method = "POST";
    request.path = path;
    return std::make_unique<TestExchange>(routes_, std::move(request));
  }

  std::unique_ptr<TestMember> member_;
  std::vector<HttpRoute> routes_;
};

TEST_F(GatewayTest, PutAndRange) {
  EXPECT_EQ(Post("/v3/kv/put", R"({"key":"Zm9v","value":"YmFy"})"),
            R"(200 {"header":{"revision":"2"}})");
  const std::string found =
      R"(200 {"header":{"revision":"2"},"kvs":[{"key":"Zm9v",)"
      R"("create_revision":"2","mod_revision":"2","version":"1",)"
      R"("value":"YmFy"}],"count":"1"})";
  for (const std::string request :
       {R"({"key":"Zm9v"})", R"({"key":"Zm9v","nope":{"x":[1,{}]}})",
        R"({"key":"Zm9v","sort_order":"DESCEND","limit":"5"})",
        R"({"key":"Zm9v","sortOrder":1,"limit":5,"revision":null})",
        R"( {"key":"Zm9v"} what follows)", R"({"key":"bm8=","key":"Zm9v"})"}) {
    EXPECT_EQ(Post("/v3/kv/range", request), found) << request;
  }
  EXPECT_EQ(Post("/v3beta/kv/range", R"({"key":"Zm9v"})"), found);
  const TestAnswer answer =
      Ask(routes_, "POST", "/v3/kv/range", R"({"key":"Zm9v"})");
  EXPECT_EQ(answer.Header("Content-Type"), "application/json");
  EXPECT_EQ(answer.Header("Grpc-Metadata-Content-Type"), "application/grpc");
}

TEST_F(GatewayTest, Transaction) {
  Post("/v3/kv/put", R"({"key":"Zm9v","value":"YmFy"})");
  EXPECT_EQ(
      Post("/v3/kv/txn",
           R"({"compare":[{"target":"VALUE","key":"Zm9v","value":"YmFy"}],)"
           R"("success":[{"request_put":{"key":"Zm9v","value":"YmF6"}},)"
           R"({"requestRange":{"key":"Zm9v"}}]})"),
      R"(200 {"header":{"revision":"3"},"succeeded":true,"responses":[)"
      R"({"response_put":{"header":{"revision":"3"}}},{"response_range":)"
      R"({"header":{"revision":"3"},"kvs":[{"key":"Zm9v",)"
      R"("create_revision":"2","mod_revision":"3","version":"2",)"
      R"("value":"YmF6"}],"count":"1"}}]})");
}

// What is wrong with a request is said in Go's words.
TEST_F(GatewayTest, BadRequests) {
  const std::string unmarshal = "json: cannot unmarshal ";
  const std::string into = " into Go value of type ";
  const std::pair<const char*, std::string> cases[] = {
      {"", "etcdserver: key is not provided"},
      {"   ", "etcdserver: key is not provided"},
      {"null", "etcdserver: key is not provided"},
      {"{", "unexpected EOF"},
      {"nul", "unexpected EOF"},
      {R"({"key":"Zm9v)", "unexpected EOF"},
      {"x", "invalid character 'x' looking for beginning of value"},
      {R"({"key":"!!"})", "illegal base64 data at input byte 0"},
      {R"({"key":"Zm8"})", "illegal base64 data at input byte 0"},
      {R"({"key":"Zm9vZm8"})", "illegal base64 data at input byte 4"},
      {R"({"key":"Zm9=Zm9v"})", "illegal base64 data at input byte 4"},
      {"[]", unmarshal + "array" + into + "map[string]json.RawMessage"},
      {"5", unmarshal + "number" + into + "map[string]json.RawMessage"},
      {R"("x")", unmarshal + "string" + into + "map[string]json.RawMessage"},
      {R"({"key":7})", unmarshal + "number" + into + "[]uint8"},
      {R"({"limit":1.5})", unmarshal + "number 1.5" + into + "int64"},
      {R"({"limit":1e0})", unmarshal + "number 1e0" + into + "int64"},
      {R"({"limit":99999999999999999999})",
       unmarshal + "number 99999999999999999999" + into + "int64"},
      {R"({"limit":"x"})",
       "invalid character 'x' looking for beginning of value"},
      {R"({"limit":true})", unmarshal + "bool" + into + "int64"},
      {R"({"serializable":1})", unmarshal + "number" + into + "bool"},
      {R"({"serializable":"true"})", unmarshal + "string" + into + "bool"},
  };
  for (const auto& [request, message] : cases) {
    EXPECT_EQ(Post("/v3/kv/range", request), Error(400, 3, message)) << request;
  }
  EXPECT_EQ(Post("/v3/kv/txn", R"({"compare":{}})"),
            Error(400, 3, unmarshal + "object" + into + "[]json.RawMessage"));
  EXPECT_EQ(Post("/v3/kv/range", R"({"key":"Zm9v","sort_order":"NOPE"})"),
            Error(400, 3,
                  R"(unknown value \"NOPE\" for enum )"
                  "etcdserverpb.RangeRequest_SortOrder"));
  EXPECT_EQ(Post("/v3/kv/put", std::string(10000, '[')).substr(0, 4), "400 ");
}

TEST_F(GatewayTest, Errors) {
  EXPECT_EQ(Post("/v3/kv/range", R"({"key":"Zm9v","revision":"99"})"),
            Error(400, 11,
                  "etcdserver: mvcc: required revision is a future revision"));
  EXPECT_EQ(Post("/v3/lease/revoke", R"({"ID":"123"})"),
            Error(404, 5, "etcdserver: requested lease not found"));
  Post("/v3/lease/grant", R"({"TTL":"100","ID":"7"})");
  const std::string exists = "etcdserver: lease already exists";
  EXPECT_EQ(Post("/v3/lease/grant", R"({"TTL":"100","ID":"7"})"),
            Error(412, 9, exists));
  const std::string large(800000, 'A');
  EXPECT_EQ(Post("/v3/kv/put", R"({"key":"Zm9v","value":")" + large + "\"}"),
            Error(429, 8,
                  "grpc: received message larger than max (600009 vs. "
                  "528384)"));

  Open(Level::V3_5());
  Post("/v3/lease/grant", R"({"TTL":"100","ID":"7"})");
  EXPECT_EQ(Post("/v3/lease/grant", R"({"TTL":"100","ID":"7"})"),
            Error(400, 9, exists));
  Open(Level::V3_6());
  EXPECT_EQ(Post("/v3/lease/revoke", R"({"ID":"8"})"),
            R"(404 {"code":5,"message":"etcdserver: requested lease not )"
            R"(found","details":[]})");
}

TEST_F(GatewayTest, Places) {
  EXPECT_EQ(Post("/v3/nothing", "{}"), "404 Not Found\n");
  EXPECT_EQ(Ask(routes_, "GET", "/v3/kv/range").body, "Method Not Allowed\n");
  EXPECT_EQ(Ask(routes_, "GET", "/v3beta/watch").status, 405);
  EXPECT_EQ(Post("/v3/maintenance/hashkv", "{}"), "404 Not Found\n");
  EXPECT_EQ(Post("/v3/kv/lease/leases", "{}"),
            R"(200 {"header":{"revision":"1"}})");
  for (const UnaryMethod& method : member_->services()->Methods()) {
    if (method.path.starts_with("/grpc.health")) continue;
    for (const std::string& path : GatewayPaths(method.path)) {
      if (path.ends_with("/hashkv")) continue;
      EXPECT_EQ(FindRoute(routes_, path)->path, path);
    }
    EXPECT_FALSE(GatewayPaths(method.path).empty()) << method.path;
  }
  Open(Level::V3_6());
  EXPECT_EQ(Post("/v3/nothing", "{}"),
            R"(404 {"code":5,"message":"Not Found","details":[]})");
  EXPECT_EQ(FindRoute(routes_, "/v3/maintenance/hashkv")->path,
            "/v3/maintenance/hashkv");
}

TEST_F(GatewayTest, WatchWithManyRequests) {
  const auto watch = Begin("/v3/watch");
  watch->Send(R"({"create_request":{"key":"Zm9v","start_rev)");
  EXPECT_TRUE(watch->Send(R"(ision":"1"}}{"create_request":{"key":"Zm8="}}x)"));
  EXPECT_EQ(WithoutIds(watch->Wait(2).body),
            "{\"result\":{\"header\":{\"revision\":\"1\"},\"created\":true}}\n"
            "{\"result\":{\"header\":{\"revision\":\"1\"},\"watch_id\":\"1\","
            "\"created\":true}}\n");
  // What cannot be read ends what is sent, not what is received.
  watch->Send(" ");
  watch->EndBody();
  Post("/v3/kv/put", R"({"key":"Zm9v","value":"YmFy"})");
  const TestAnswer answer = watch->Wait(3);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("Content-Type"), "application/json");
  EXPECT_TRUE(WithoutIds(answer.body)
                  .ends_with(R"("events":[{"kv":{"key":"Zm9v",)"
                             R"("create_revision":"2","mod_revision":"2",)"
                             R"("version":"1","value":"YmFy"}}]}})"
                             "\n"))
      << answer.body;
  EXPECT_FALSE(answer.over);
}

// Takes a message at a time and asks for the next from elsewhere, under the
// lock that its callbacks take.
class OneAtATime : public StreamHandler {
 public:
  OneAtATime(Loop* loop, std::shared_ptr<StreamSink> sink)
      : loop_(loop), sink_(std::move(sink)) {}

  bool OnMessage(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    etcdserverpb::LeaseKeepAliveRequest request;
    EXPECT_TRUE(request.ParseFromString(std::string(bytes)));
    loop_->Post([this, id = request.id()] {
      const std::lock_guard inner(mutex_);
      etcdserverpb::LeaseKeepAliveResponse response;
      response.set_id(id);
      sink_->Write(StreamMessage(response.SerializeAsString()));
      sink_->ReadMore();
    });
    return false;
  }
  void OnWritable() override {}
  void OnReadsDone() override { sink_->Finish(Status::Ok()); }
  void OnDone() override {}

 private:
  Loop* const loop_;
  const std::shared_ptr<StreamSink> sink_;
  std::mutex mutex_;
};

TEST_F(GatewayTest, MessagesWaitForTheirHandler) {
  const StreamMethod method{"/etcdserverpb.Lease/LeaseKeepAlive",
                            [this](std::shared_ptr<StreamSink> sink) {
                              return std::make_shared<OneAtATime>(
                                  member_->worker(), std::move(sink));
                            }};
  routes_ = GatewayRoutes({.loop = member_->worker()}, {}, {method});
  std::string body;
  std::string lines;
  for (int id = 1; id <= 50; ++id) {
    body += R"({"ID":)" + std::to_string(id) + "} ";
    lines += R"({"result":{"ID":")" + std::to_string(id) + "\"}}\n";
  }
  EXPECT_EQ(Post("/v3/lease/keepalive", body), "200 " + lines);
}

TEST_F(GatewayTest, StreamsThatCannotBeRead) {
  EXPECT_EQ(Post("/v3/watch", "x"),
            Error(500, 2,
                  "invalid character 'x' looking for beginning of "
                  "value"));
  EXPECT_EQ(Post("/v3/watch", R"({"create_request":{"key":"!!"}})"),
            Error(500, 2, "illegal base64 data at input byte 0"));
  EXPECT_EQ(Post("/v3/election/observe", R"({"name":"!!"})"),
            Error(400, 3, "illegal base64 data at input byte 0"));
}

TEST_F(GatewayTest, KeepAlive) {
  Post("/v3/lease/grant", R"({"TTL":"100","ID":"7"})");
  const std::string header = R"({"result":{"header":{"revision":"1"},)";
  EXPECT_EQ(Post("/v3/lease/keepalive", R"({"ID":"7"}{"ID":8})"),
            "200 " + header + "\"ID\":\"7\",\"TTL\":\"100\"}}\n" + header +
                "\"ID\":\"8\"}}\n");
  EXPECT_EQ(Post("/v3/lease/keepalive", ""), "200 ");
}

TEST_F(GatewayTest, Snapshot) {
  const std::string got = Post("/v3/maintenance/snapshot", "{}");
  EXPECT_TRUE(got.starts_with("200 {\"result\":{")) << got.substr(0, 80);
  EXPECT_TRUE(got.ends_with("\"}}\n"));
}

// Calls that are streams inside, and none to their clients.
TEST_F(GatewayTest, LockAndElection) {
  const std::string locked = Post("/v3/lock/lock", R"({"name":"bA=="})");
  EXPECT_TRUE(
      locked.starts_with(R"(200 {"header":{"revision":"2"},"key":"bC8)"))
      << locked;
  Post("/v3/lease/grant", R"({"TTL":"100","ID":"7"})");
  EXPECT_EQ(Post("/v3/election/campaign",
                 R"({"name":"ZQ==","lease":"7","value":"dg=="})"),
            R"(200 {"header":{"revision":"3"},"leader":{"name":"ZQ==",)"
            R"("key":"ZS83","rev":"3","lease":"7"}})");
  const std::string leader =
      R"({"header":{"revision":"3"},"kv":{"key":"ZS83",)"
      R"("create_revision":"3","mod_revision":"3","version":"1",)"
      R"("value":"dg==","lease":"7"}})";
  EXPECT_EQ(Post("/v3/election/leader", R"({"name":"ZQ=="})"), "200 " + leader);
  const auto observe = Begin("/v3/election/observe");
  observe->Send(R"({"name":"ZQ=="})");
  EXPECT_EQ(WithoutIds(observe->Wait(1).body),
            R"({"result":)" + leader + "}\n");
  EXPECT_EQ(Post("/v3/election/campaign", R"({"name":"ZQ==","lease":"9"})"),
            Error(500, 2, "etcdserver: requested lease not found"));
}

}  // namespace
}  // namespace strata
