// A whole member behind gRPC, whose disk stalls.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/combining_loop.h"
#include "base/fake_env.h"
#include "rpc/grpc_server.h"
#include "rpc/listening_testing.h"
#include "rpc/proto/rpc.pb.h"
#include "rpc/services.h"

namespace strata {
namespace {

// Lets nobody through while it is closed.
class Gate {
 public:
  void Close() { open_ = std::promise<void>(), passed_ = open_.get_future(); }
  void Open() { open_.set_value(); }
  void Pass() const { passed_.wait(); }

 private:
  std::promise<void> open_;
  std::shared_future<void> passed_;
};

// One call; the answer parsed, or nothing.
template <typename Response>
grpc::Status Call(grpc::GenericStub* stub, const std::string& method,
                  const google::protobuf::Message& request,
                  Response* response) {
  grpc::ClientContext context;
  // Nothing takes so long, on a busy machine either.
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(100));
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request.SerializeAsString());
  auto call = stub->PrepareUnaryCall(&context, "/etcdserverpb.KV/" + method,
                                     grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer bytes;
  grpc::Status status;
  call->Finish(&bytes, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  if (!status.ok()) return status;
  grpc::Slice all;
  EXPECT_TRUE(bytes.DumpToSingleSlice(&all).ok());
  EXPECT_TRUE(
      response->ParseFromArray(all.begin(), static_cast<int>(all.size())));
  return status;
}

class StalledDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    env_.SetObserver([this](const DiskAccess& access) {
      if (access.operation == DiskOperation::kSync &&
          access.path.ends_with(".wal") && stalled_.exchange(false)) {
        stalling_.set_value();
        gate_.Pass();
      }
    });
    NodeOptions options;
    options.data_dir = "data";
    options.initial_advertise_peer_urls = {"http://localhost:2380"};
    options.advertise_client_urls = {"http://localhost:2379"};
    options.btree.initial_mmap_bytes = 1 << 20;
    options.wal_segment_bytes = 1 << 20;
    auto node = Node::Open(options, {.env = &env_,
                                     .loop = &loop_,
                                     .flusher = flusher_.get(),
                                     // No zeros written ahead, whose syncs are
                                     // not meant.
                                     .background = nullptr,
                                     .watch_pump = worker_.get(),
                                     .logger = Logger::Null(),
                                     .on_fatal = nullptr});
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = std::move(*node);
    services_ =
        std::make_unique<Services>(node_.get(),
                                   ServiceLoops{.worker = worker_.get(),
                                                .hasher = worker_.get(),
                                                .copier = worker_.get(),
                                                .claims = worker_.get()},
                                   KvOptions());
    auto started = GrpcServer::Start(GrpcServerOptions(), services_->Methods(),
                                     {}, {.node = &loop_});
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = std::move(*started);
    port_ = listening_.Listen(server_.get());
    writer_ = NewStub();
    reader_ = NewStub();
  }
  void TearDown() override {
    listening_.Stop();
    server_->Shutdown(std::chrono::seconds(10));
    server_.reset();
    EXPECT_TRUE(node_->Stop().ok());
    node_.reset();
  }

  std::unique_ptr<grpc::GenericStub> NewStub() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(port_),
        grpc::InsecureChannelCredentials(), arguments));
  }
  bool Put(const std::string& key, const std::string& value) {
    etcdserverpb::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    etcdserverpb::PutResponse response;
    return Call(writer_.get(), "Put", request, &response).ok();
  }
  std::string Get(const std::string& key, bool serializable) {
    etcdserverpb::RangeRequest request;
    request.set_key(key);
    request.set_serializable(serializable);
    etcdserverpb::RangeResponse response;
    const grpc::Status status =
        Call(reader_.get(), "Range", request, &response);
    if (!status.ok()) return "error: " + status.error_message();
    return response.kvs_size() == 1 ? response.kvs(0).value() : "none";
  }
  // The next sync of the log does not return until the gate is opened.
  void Stall() {
    gate_.Close();
    stalling_ = std::promise<void>();
    stalled_ = true;
  }

  Gate gate_;
  std::promise<void> stalling_;
  std::atomic<bool> stalled_ = false;
  FakeEnv env_;
  CombiningLoop loop_{"node"};
  std::unique_ptr<Loop> flusher_ = NewThreadedLoop("flusher");
  std::unique_ptr<Loop> worker_ = NewThreadedLoop("worker");
  std::unique_ptr<Node> node_;
  std::unique_ptr<Services> services_;
  ListeningForTest listening_;
  std::unique_ptr<GrpcServer> server_;
  int port_ = 0;
  std::unique_ptr<grpc::GenericStub> writer_, reader_;
};

// Whoever it is that waits in the sync: the first round finds a server that has
// seen one call at a time, the next ones one that has just changed its threads.
TEST_F(StalledDiskTest, ReadsGoOnAndNothingIsAcknowledged) {
  for (int round = 0; round < 3; ++round) {
    const std::string before = "before " + std::to_string(round);
    const std::string after = "after " + std::to_string(round);
    for (int i = 0; i < 70; ++i) ASSERT_TRUE(Put("key", before));
    Stall();
    auto put =
        std::async(std::launch::async, [&] { return Put("key", after); });
    stalling_.get_future().wait();
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(Get("key", /*serializable=*/true), before);
      EXPECT_EQ(Get("key", /*serializable=*/false), before);
    }
    EXPECT_EQ(put.wait_for(std::chrono::seconds(0)),
              std::future_status::timeout);
    gate_.Open();
    EXPECT_TRUE(put.get());
    EXPECT_EQ(Get("key", /*serializable=*/false), after);
  }
}

}  // namespace
}  // namespace strata
