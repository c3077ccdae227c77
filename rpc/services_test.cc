#include "rpc/services.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "base/env.h"
#include "base/loop.h"

namespace strata {
namespace {

using google::protobuf::TextFormat;

// A member on a directory of its own, asked through its methods' bytes.
class ServicesTest : public testing::Test {
 protected:
  void SetUp() override { Open(Level::V3_5()); }
  void TearDown() override {
    if (node_ == nullptr) return;
    EXPECT_TRUE(node_->Stop().ok());
  }

  void Open(Level level) {
    TearDown();
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    NodeOptions options;
    options.data_dir =
        JoinPath(std::getenv("TEST_TMPDIR"), info->name()) + level.ToString();
    options.level = level;
    options.backend = BackendKind::kMem;
    options.wal_segment_bytes = 1 << 20;
    options.wal_segment_bytes = 1 << 20;
    options.initial_advertise_peer_urls = {"http://localhost:2380"};
    options.advertise_client_urls = {"http://localhost:2379"};
    auto node = Node::Open(options, {.env = Env::Posix(),
                                     .loop = loop_.get(),
                                     .flusher = flusher_.get(),
                                     .background = background_.get(),
                                     .logger = Logger::Null(),
                                     .on_fatal = nullptr});
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = std::move(*node);
    services_ =
        std::make_unique<Services>(node_.get(),
                                   ServiceLoops{.worker = worker_.get(),
                                                .hasher = hasher_.get(),
                                                .copier = worker_.get(),
                                                .claims = worker_.get()},
                                   KvOptions());
    methods_ = services_->Methods();
  }

  StatusOr<std::string> CallBytes(const std::string& path,
                                  const std::string& request) {
    for (const UnaryMethod& method : methods_) {
      if (method.path != path) continue;
      google::protobuf::Arena arena;
      std::promise<StatusOr<std::string>> answered;
      method.call(request, &arena, [&](StatusOr<std::string> answer) {
        answered.set_value(std::move(answer));
      });
      return answered.get_future().get();
    }
    return UnknownMethodError(path);
  }

  // Text in, text out; the header's ids, the same in every answer, left out.
  template <typename Request, typename Response>
  std::string Call(const std::string& path, const std::string& text) {
    Request request;
    EXPECT_TRUE(TextFormat::ParseFromString(text, &request)) << text;
    const auto bytes = CallBytes(path, request.SerializeAsString());
    if (!bytes.ok()) return bytes.ToString();
    Response response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    auto* header = response.mutable_header();
    EXPECT_EQ(header->cluster_id(), node_->cluster_id().value());
    EXPECT_EQ(header->member_id(), node_->member_id().value());
    EXPECT_EQ(header->raft_term(), node_->replication().term.value());
    header->clear_cluster_id();
    header->clear_member_id();
    header->clear_raft_term();
    TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    std::string result;
    printer.PrintToString(response, &result);
    while (result.ends_with(' ')) result.pop_back();
    return result;
  }

  std::string Put(const std::string& text) {
    return Call<etcdserverpb::PutRequest, etcdserverpb::PutResponse>(
        "/etcdserverpb.KV/Put", text);
  }
  std::string Range(const std::string& text) {
    return Call<etcdserverpb::RangeRequest, etcdserverpb::RangeResponse>(
        "/etcdserverpb.KV/Range", text);
  }
  std::string Delete(const std::string& text) {
    return Call<etcdserverpb::DeleteRangeRequest,
                etcdserverpb::DeleteRangeResponse>(
        "/etcdserverpb.KV/DeleteRange", text);
  }
  std::string Txn(const std::string& text) {
    return Call<etcdserverpb::TxnRequest, etcdserverpb::TxnResponse>(
        "/etcdserverpb.KV/Txn", text);
  }
  std::string Compact(const std::string& text) {
    return Call<etcdserverpb::CompactionRequest,
                etcdserverpb::CompactionResponse>("/etcdserverpb.KV/Compact",
                                                  text);
  }
  std::string HashKv(const std::string& text) {
    return Call<etcdserverpb::HashKVRequest, etcdserverpb::HashKVResponse>(
        "/etcdserverpb.Maintenance/HashKV", text);
  }
  etcdserverpb::StatusResponse Status() {
    etcdserverpb::StatusResponse response;
    const auto bytes = CallBytes("/etcdserverpb.Maintenance/Status", "");
    EXPECT_TRUE(bytes.ok() && response.ParseFromString(*bytes));
    return response;
  }

  const std::unique_ptr<Loop> loop_ = NewThreadedLoop("node");
  const std::unique_ptr<Loop> flusher_ = NewThreadedLoop("flusher");
  const std::unique_ptr<Loop> background_ = NewThreadedLoop("background");
  const std::unique_ptr<Loop> worker_ = NewThreadedLoop("worker");
  const std::unique_ptr<Loop> hasher_ = NewThreadedLoop("hasher");
  std::unique_ptr<Node> node_;
  std::unique_ptr<Services> services_;
  std::vector<UnaryMethod> methods_;
};

constexpr char kCompacted[] =
    "OutOfRange: etcdserver: mvcc: required revision has been compacted";
constexpr char kFuture[] =
    "OutOfRange: etcdserver: mvcc: required revision is a future revision";

TEST_F(ServicesTest, PutThenRange) {
  EXPECT_EQ(Put("key: 'a' value: '1'"), "header { revision: 2 }");
  EXPECT_EQ(Put("key: 'a' value: '2' prev_kv: true"),
            "header { revision: 3 } prev_kv { key: \"a\" create_revision: 2 "
            "mod_revision: 2 version: 1 value: \"1\" }");
  const std::string now =
      "header { revision: 3 } kvs { key: \"a\" create_revision: 2 "
      "mod_revision: 3 version: 2 value: \"2\" } count: 1";
  EXPECT_EQ(Range("key: 'a'"), now);
  EXPECT_EQ(Range("key: 'a' serializable: true"), now);
  EXPECT_EQ(Range("key: 'a' revision: 2 keys_only: true"),
            "header { revision: 3 } kvs { key: \"a\" create_revision: 2 "
            "mod_revision: 2 version: 1 } count: 1");
  EXPECT_EQ(Range("key: 'b'"), "header { revision: 3 }");
  EXPECT_EQ(Range("key: 'a' revision: 4"), kFuture);
  EXPECT_EQ(Range(""), "InvalidArgument: etcdserver: key is not provided");
}

// Ranges of unknown length go another way, to the same answers.
TEST_F(ServicesTest, LongRanges) {
  Put("key: 'a' value: '1'");
  Put("key: 'b' value: '2'");
  const std::string all =
      "header { revision: 3 } "
      "kvs { key: \"a\" create_revision: 2 mod_revision: 2 version: 1 } "
      "kvs { key: \"b\" create_revision: 3 mod_revision: 3 version: 1 } "
      "count: 2";
  const std::string range = "key: 'a' range_end: 'c' keys_only: true ";
  EXPECT_EQ(Range(range), all);
  EXPECT_EQ(Range(range + "serializable: true"), all);
  EXPECT_EQ(Range(range + "limit: 5000"), all);
  EXPECT_EQ(Range(range + "limit: 5"), all);
  EXPECT_EQ(Range(range + "revision: 9"), kFuture);
  EXPECT_EQ(Txn("success { request_range { " + range + " } }"),
            "header { revision: 3 } succeeded: true responses { "
            "response_range { " +
                all + " } }");
}

TEST_F(ServicesTest, RefusalsOfTheLogReachTheClient) {
  EXPECT_EQ(Put("key: 'a' ignore_value: true"),
            "InvalidArgument: etcdserver: key not found");
  EXPECT_EQ(Put("key: 'a' lease: 7"),
            "NotFound: etcdserver: requested lease not found");
  const std::string large(2 << 20, 'x');
  EXPECT_EQ(Put("key: 'a' value: '" + large + "'"),
            "InvalidArgument: etcdserver: request is too large");
}

TEST_F(ServicesTest, DeleteRange) {
  Put("key: 'a' value: '1'");
  EXPECT_EQ(Delete("key: 'a' range_end: 'z' prev_kv: true"),
            "header { revision: 3 } deleted: 1 prev_kvs { key: \"a\" "
            "create_revision: 2 mod_revision: 2 version: 1 value: \"1\" }");
  EXPECT_EQ(Delete("key: 'a'"), "header { revision: 3 }");
}

TEST_F(ServicesTest, TxnThatWrites) {
  EXPECT_EQ(Txn("compare { key: 'a' target: VERSION result: EQUAL version: 0 } "
                "success { request_put { key: 'a' value: '1' } } "
                "success { request_range { key: 'a' } }"),
            "header { revision: 2 } succeeded: true "
            "responses { response_put { header { revision: 2 } } } "
            "responses { response_range { header { revision: 2 } "
            "kvs { key: \"a\" create_revision: 2 mod_revision: 2 version: 1 "
            "value: \"1\" } count: 1 } }");
}

TEST_F(ServicesTest, TxnThatReadsDoesNotUseTheLog) {
  Put("key: 'a' value: '1'");
  Put("key: 'b' value: '2'");
  const LogIndex before = node_->replication().last_index;
  EXPECT_EQ(Txn("compare { key: 'a' target: VALUE result: EQUAL value: 'x' } "
                "success { request_range { key: 'a' } } "
                "failure { request_range { key: 'b' keys_only: true } } "
                "failure { request_range { key: 'a' count_only: true } }"),
            "header { revision: 3 } "
            "responses { response_range { header { revision: 3 } "
            "kvs { key: \"b\" create_revision: 3 mod_revision: 3 version: 1 } "
            "count: 1 } } "
            "responses { response_range { header { revision: 3 } count: 1 } }");
  EXPECT_EQ(Txn("compare { key: 'a' range_end: 'z' target: CREATE "
                "result: GREATER create_revision: 1 }"),
            "header { revision: 3 } succeeded: true");
  EXPECT_EQ(Txn("compare { key: 'x' target: VALUE result: NOT_EQUAL }"),
            "header { revision: 3 }");
  EXPECT_EQ(Txn("success { request_range { key: 'a' revision: 9 } }"), kFuture);
  EXPECT_EQ(node_->replication().last_index, before);
}

TEST_F(ServicesTest, Compact) {
  Put("key: 'a' value: '1'");
  Put("key: 'a' value: '2'");
  EXPECT_EQ(Compact("revision: 9"), kFuture);
  EXPECT_EQ(Compact("revision: 3 physical: true"), "header { revision: 3 }");
  EXPECT_EQ(Compact("revision: 3"), kCompacted);
  EXPECT_EQ(Range("key: 'a' revision: 2"), kCompacted);
  EXPECT_EQ(Txn("success { request_range { key: 'a' revision: 2 } }"),
            kCompacted);
}

TEST_F(ServicesTest, StatusTellsOfTheMember) {
  Put("key: 'a' value: '1'");
  const etcdserverpb::StatusResponse status = Status();
  EXPECT_EQ(status.header().revision(), 2);
  EXPECT_EQ(status.version(), "3.5.0");
  EXPECT_EQ(status.leader(), node_->member_id().value());
  EXPECT_GE(status.raftindex(), 3u);
  EXPECT_EQ(status.raftappliedindex(), status.raftindex());
  EXPECT_EQ(status.errors_size(), 0);
  EXPECT_EQ(status.storageversion(), "");
  Open(Level::V3_6());
  EXPECT_EQ(Status().version(), "3.6.0");
  EXPECT_EQ(Status().storageversion(), "3.6.0");
}

TEST_F(ServicesTest, HashKvNamesItsRevisionFrom36On) {
  Put("key: 'a' value: '1'");
  const std::string hash = HashKv("");
  EXPECT_TRUE(hash.starts_with("header { revision: 2 } hash: ")) << hash;
  EXPECT_EQ(hash.find("hash_revision"), std::string::npos) << hash;
  EXPECT_EQ(HashKv("revision: 9"), kFuture);
  Open(Level::V3_6());
  Put("key: 'a' value: '1'");
  EXPECT_TRUE(HashKv("").ends_with("hash_revision: 2")) << HashKv("");
}

// A hash of a large store takes a while.
TEST_F(ServicesTest, LongRangesDoNotWaitForHashes) {
  Put("key: 'a' value: '1'");
  std::promise<void> go_on;
  hasher_->Post([&] { go_on.get_future().wait(); });
  auto hash = std::async(std::launch::async, [this] { return HashKv(""); });
  auto range = std::async(std::launch::async, [this] {
    return Range("key: 'a' range_end: 'z' keys_only: true");
  });
  EXPECT_EQ(range.wait_for(std::chrono::seconds(10)),
            std::future_status::ready);
  EXPECT_EQ(hash.wait_for(std::chrono::milliseconds(0)),
            std::future_status::timeout);
  go_on.set_value();
  EXPECT_TRUE(hash.get().starts_with("header { revision: 2 } hash: "));
  EXPECT_TRUE(range.get().ends_with("count: 1"));
}

TEST_F(ServicesTest, MemberListHasNoRevision) {
  Put("key: 'a' value: '1'");
  for (const char* request : {"", "linearizable: true"}) {
    const std::string list =
        Call<etcdserverpb::MemberListRequest, etcdserverpb::MemberListResponse>(
            "/etcdserverpb.Cluster/MemberList", request);
    EXPECT_EQ(list, "header { } members { ID: " +
                        std::to_string(node_->member_id().value()) +
                        " name: \"default\" peerURLs: "
                        "\"http://localhost:2380\" clientURLs: "
                        "\"http://localhost:2379\" }");
  }
}

TEST_F(ServicesTest, Health) {
  grpc::health::v1::HealthCheckResponse response;
  const auto bytes = CallBytes("/grpc.health.v1.Health/Check", "");
  ASSERT_TRUE(bytes.ok() && response.ParseFromString(*bytes));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("nobody");
  EXPECT_EQ(
      CallBytes("/grpc.health.v1.Health/Check", request.SerializeAsString())
          .ToString(),
      "NotFound: unknown service");
}

TEST_F(ServicesTest, BytesThatAreNoRequest) {
  EXPECT_EQ(CallBytes("/etcdserverpb.KV/Put", "\xff\xff").ToString(),
            "Internal: grpc: error unmarshalling request: not a "
            "etcdserverpb.PutRequest");
}

TEST(UnknownMethodTest, SaysWhoDoesNotHaveIt) {
  EXPECT_EQ(UnknownMethodError("/etcdserverpb.Watch/Watch").ToString(),
            "Unimplemented: strata does not implement "
            "etcdserverpb.Watch.Watch yet");
  EXPECT_EQ(UnknownMethodError("/etcdserverpb.KV/Fly").ToString(),
            "Unimplemented: unknown method Fly for service etcdserverpb.KV");
  EXPECT_EQ(UnknownMethodError("/nobody.KV/Fly").ToString(),
            "Unimplemented: unknown service nobody.KV");
  EXPECT_EQ(UnknownMethodError("").ToString(),
            "Unimplemented: malformed method name: \"\"");
}

TEST_F(ServicesTest, LeasesAreGrantedListedAndRevoked) {
  const auto grant = [this](const std::string& text) {
    return Call<etcdserverpb::LeaseGrantRequest,
                etcdserverpb::LeaseGrantResponse>(
        "/etcdserverpb.Lease/LeaseGrant", text);
  };
  const auto revoke = [this](const std::string& text) {
    return Call<etcdserverpb::LeaseRevokeRequest,
                etcdserverpb::LeaseRevokeResponse>(
        "/etcdserverpb.Lease/LeaseRevoke", text);
  };
  const auto ask = [this](const std::string& text) {
    return Call<etcdserverpb::LeaseTimeToLiveRequest,
                etcdserverpb::LeaseTimeToLiveResponse>(
        "/etcdserverpb.Lease/LeaseTimeToLive", text);
  };
  EXPECT_EQ(grant("ID: 7 TTL: 60"), "header { revision: 1 } ID: 7 TTL: 60");
  EXPECT_EQ(grant("ID: 8 TTL: -5"), "header { revision: 1 } ID: 8 TTL: 2");
  EXPECT_EQ(grant("ID: 7 TTL: 60"),
            "FailedPrecondition: etcdserver: lease already exists");
  EXPECT_EQ(grant("ID: 9 TTL: 9000000001"),
            "OutOfRange: etcdserver: too large lease TTL");
  EXPECT_NE(grant("TTL: 100").find("TTL: 100"), std::string::npos);

  EXPECT_EQ(Put("key: 'b' lease: 7"), "header { revision: 2 }");
  EXPECT_EQ(Put("key: 'a' lease: 7"), "header { revision: 3 }");
  const std::string left = ask("ID: 7 keys: true");
  EXPECT_TRUE(left ==
                  "header { revision: 3 } ID: 7 TTL: 59 grantedTTL: 60 "
                  "keys: \"a\" keys: \"b\"" ||
              left ==
                  "header { revision: 3 } ID: 7 TTL: 60 grantedTTL: 60 "
                  "keys: \"a\" keys: \"b\"")
      << left;
  EXPECT_EQ(ask("ID: 77"), "header { revision: 3 } ID: 77 TTL: -1");

  EXPECT_EQ(revoke("ID: 7"), "header { revision: 4 }");
  EXPECT_EQ(revoke("ID: 7"), "NotFound: etcdserver: requested lease not found");
  EXPECT_EQ(revoke(""), "NotFound: etcdserver: requested lease not found");
  const std::string leases =
      Call<etcdserverpb::LeaseLeasesRequest, etcdserverpb::LeaseLeasesResponse>(
          "/etcdserverpb.Lease/LeaseLeases", "");
  EXPECT_TRUE(
      leases.starts_with("header { revision: 4 } leases { ID: 8 } "
                         "leases { ID: "))
      << leases;
}

}  // namespace
}  // namespace strata
