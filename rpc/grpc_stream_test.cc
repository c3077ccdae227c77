
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "rpc/grpc_server.h"
#include "rpc/listening_testing.h"

namespace strata {
namespace {

constexpr uint64_t kMaxRequestBytes = 1000;
constexpr auto kLong = std::chrono::seconds(10);

// One stream of a client, every step of which is waited for.
class ClientStream {
 public:
  ClientStream(int port, const std::string& path)
      : stub_(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                  grpc::InsecureChannelCredentials())) {
    call_ = stub_.PrepareCall(&context_, path, &queue_);
    call_->StartCall(this);
    EXPECT_TRUE(Step());
  }

  bool Send(const std::string& message) {
    const grpc::Slice slice(message);
    call_->Write(grpc::ByteBuffer(&slice, 1), this);
    return Step();
  }
  void SendNoMore() {
    call_->WritesDone(this);
    EXPECT_TRUE(Step());
  }
  std::optional<std::string> Receive() {
    grpc::ByteBuffer buffer;
    call_->Read(&buffer, this);
    if (!Step()) return std::nullopt;
    grpc::Slice all;
    EXPECT_TRUE(buffer.DumpToSingleSlice(&all).ok());
    return std::string(reinterpret_cast<const char*>(all.begin()), all.size());
  }
  void Cancel() { context_.TryCancel(); }
  // "OK" or "Code: text".
  std::string End() {
    grpc::Status status;
    call_->Finish(&status, this);
    EXPECT_TRUE(Step());
    return Status(static_cast<Code>(status.error_code()),
                  status.error_message())
        .ToString();
  }

 private:
  bool Step() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok));
    return ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// What the handlers of a test were told, and what they do about it.
struct Script {
  std::function<bool(StreamSink*, std::string)> on_message =
      [](StreamSink*, const std::string&) { return true; };
  std::function<void(StreamSink*)> on_writable = [](StreamSink* sink) {
    sink->ReadMore();
  };
  std::function<void(StreamSink*)> on_reads_done = [](StreamSink* sink) {
    sink->Finish(Status::Ok());
  };

  void Done() {
    const std::lock_guard lock(mutex);
    ++done;
    changed.notify_all();
  }
  bool WaitDone(int count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kLong, [&] { return done == count; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  int done = 0;  // guarded by mutex
};

class ScriptedHandler : public StreamHandler {
 public:
  ScriptedHandler(Script* script, std::shared_ptr<StreamSink> sink)
      : script_(script), sink_(std::move(sink)) {}

  bool OnMessage(std::string_view bytes) override {
    return script_->on_message(sink_.get(), std::string(bytes));
  }
  void OnWritable() override { script_->on_writable(sink_.get()); }
  void OnReadsDone() override { script_->on_reads_done(sink_.get()); }
  void OnDone() override { script_->Done(); }

 private:
  Script* const script_;
  const std::shared_ptr<StreamSink> sink_;
};

class GrpcStreamTest : public testing::Test {
 protected:
  void Start(GrpcServerOptions options = {}) {
    options.max_request_bytes = kMaxRequestBytes;
    auto server = GrpcServer::Start(
        options, {},
        {{"/test.Test/Talk", [this](std::shared_ptr<StreamSink> sink) {
            return std::make_shared<ScriptedHandler>(&script_, std::move(sink));
          }}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    port_ = listening_.Listen(server_.get());
  }
  void TearDown() override {
    listening_.Stop();
    if (server_ != nullptr) server_->Shutdown(kLong);
  }
  std::unique_ptr<ClientStream> Talk() {
    return std::make_unique<ClientStream>(port_, "/test.Test/Talk");
  }

  Script script_;
  ListeningForTest listening_;
  std::unique_ptr<GrpcServer> server_;
  int port_ = 0;
};

bool Echo(StreamSink* sink, std::string bytes) {
  sink->Write(StreamMessage("echo " + std::move(bytes)));
  return sink->Writable();
}

TEST_F(GrpcStreamTest, MessagesBothWaysAndAnEnd) {
  script_.on_message = Echo;
  Start();
  for (int i = 1; i <= 3; ++i) {
    auto stream = Talk();
    for (const char* message : {"one", "", "three"}) {
      ASSERT_TRUE(stream->Send(message));
      EXPECT_EQ(stream->Receive(), std::string("echo ") + message);
    }
    stream->SendNoMore();
    EXPECT_EQ(stream->Receive(), std::nullopt);
    EXPECT_EQ(stream->End(), "OK");
    EXPECT_TRUE(script_.WaitDone(i));
  }
}

TEST_F(GrpcStreamTest, TheHandlerEndsItAfterWhatItWrote) {
  script_.on_message = [](StreamSink* sink, const std::string&) {
    for (int i = 0; i < 20; ++i) sink->Write(StreamMessage(std::to_string(i)));
    sink->Finish(OutOfRangeError("no further"));
    sink->Finish(Status::Ok());
    sink->Write(StreamMessage("too late"));
    return true;
  };
  Start();
  auto stream = Talk();
  stream->Send("go");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(stream->Receive(), std::to_string(i));
  EXPECT_EQ(stream->Receive(), std::nullopt);
  EXPECT_EQ(stream->End(), "OutOfRange: no further");
  EXPECT_TRUE(script_.WaitDone(1));
}

TEST_F(GrpcStreamTest, OtherStreamsGoOnAfterOneIsCancelled) {
  script_.on_message = Echo;
  Start();
  auto first = Talk();
  auto second = Talk();
  ASSERT_TRUE(first->Send("a"));
  EXPECT_EQ(first->Receive(), "echo a");
  first->Cancel();
  EXPECT_EQ(first->End(), "Canceled: CANCELLED");
  EXPECT_TRUE(script_.WaitDone(1));
  ASSERT_TRUE(second->Send("b"));
  EXPECT_EQ(second->Receive(), "echo b");
  second->SendNoMore();
  EXPECT_EQ(second->End(), "OK");
  EXPECT_TRUE(script_.WaitDone(2));
}

// A client that sends and does not read: its messages are not read either, so
// that no more answers wait than the queue has room for.
TEST_F(GrpcStreamTest, AClientThatDoesNotReadIsNotReadFrom) {
  std::atomic<size_t> received = 0;
  const std::string answer(8 << 10, 'x');
  script_.on_message = [&](StreamSink* sink, const std::string&) {
    ++received;
    sink->Write(StreamMessage(answer));
    return sink->Writable();
  };
  Start();
  auto stream = Talk();
  constexpr size_t kMessages = 2000;  // 16 MB of answers
  for (size_t i = 0; i < kMessages; ++i) ASSERT_TRUE(stream->Send("more"));
  // What the sockets, their windows and the queue can hold, and no more.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LT(received.load(), kMessages / 2);
  for (size_t i = 0; i < kMessages; ++i) ASSERT_EQ(stream->Receive(), answer);
  EXPECT_EQ(received.load(), kMessages);
  stream->SendNoMore();
  EXPECT_EQ(stream->End(), "OK");
}

// The other way round: a handler that writes as long as there is room.
TEST_F(GrpcStreamTest, AHandlerWaitsForRoom) {
  std::atomic<int> written = 0;
  constexpr int kMessages = 5000;
  auto fill = [&](StreamSink* sink) {
    while (written < kMessages && sink->Writable()) {
      sink->Write(StreamMessage(std::string(4 << 10, 'x')));
      ++written;
    }
    if (written == kMessages) sink->Finish(Status::Ok());
  };
  script_.on_message = [&](StreamSink* sink, const std::string&) {
    fill(sink);
    return true;
  };
  script_.on_writable = fill;
  Start();
  auto stream = Talk();
  ASSERT_TRUE(stream->Send("go"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LT(written.load(), kMessages);
  int received = 0;
  while (stream->Receive().has_value()) ++received;
  EXPECT_EQ(received, kMessages);
  EXPECT_EQ(stream->End(), "OK");
}

// Large pieces are not copied: what they refer to is let go once it is sent.
TEST_F(GrpcStreamTest, SharedPieces) {
  auto value = std::make_shared<const std::string>(1 << 20, 'v');
  const std::weak_ptr<const std::string> watched = value;
  script_.on_message = [&](StreamSink* sink, const std::string&) {
    StreamMessage message("<");
    message.AppendShared(*value, value);
    message.Append(">");
    EXPECT_EQ(message.size(), value->size() + 2);
    sink->Write(std::move(message));
    value = nullptr;
    return true;
  };
  Start();
  auto stream = Talk();
  ASSERT_TRUE(stream->Send("go"));
  EXPECT_EQ(stream->Receive(), "<" + std::string(1 << 20, 'v') + ">");
  stream->SendNoMore();
  EXPECT_EQ(stream->End(), "OK");
  EXPECT_TRUE(script_.WaitDone(1));
  EXPECT_TRUE(watched.expired());
}

TEST_F(GrpcStreamTest, MessagesThatAreTooLarge) {
  script_.on_message = Echo;
  Start();
  const size_t max = kMaxRequestBytes + limits::kGrpcOverheadBytes;
  auto stream = Talk();
  ASSERT_TRUE(stream->Send(std::string(max, 'x')));
  EXPECT_EQ(stream->Receive()->size(), max + 5);
  ASSERT_TRUE(stream->Send(std::string(max + 1, 'x')));
  EXPECT_EQ(stream->Receive(), std::nullopt);
  EXPECT_EQ(stream->End(),
            "ResourceExhausted: grpc: received message larger than max (" +
                std::to_string(max + 1) + " vs. " + std::to_string(max) + ")");
}

TEST_F(GrpcStreamTest, ShutdownEndsStreams) {
  script_.on_message = Echo;
  Start();
  auto stream = Talk();
  ASSERT_TRUE(stream->Send("a"));
  EXPECT_EQ(stream->Receive(), "echo a");
  const auto begin = std::chrono::steady_clock::now();
  server_->Shutdown(kLong);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kLong / 2);
  server_ = nullptr;
  EXPECT_EQ(stream->End(), "Unavailable: etcdserver: server stopped");
  EXPECT_TRUE(script_.WaitDone(1));
}

TEST_F(GrpcStreamTest, MoreStreamsThanAConnectionMayHaveWait) {
  script_.on_message = Echo;
  GrpcServerOptions options;
  options.max_concurrent_streams = 2;
  Start(std::move(options));
  // The client's channels to one address share a connection.
  auto first = Talk();
  auto second = Talk();
  ASSERT_TRUE(first->Send("1") && second->Send("2"));
  EXPECT_EQ(first->Receive(), "echo 1");
  EXPECT_EQ(second->Receive(), "echo 2");
  auto waiting = std::async(std::launch::async, [this] { return Talk(); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(100)),
            std::future_status::timeout);
  first->SendNoMore();
  EXPECT_EQ(first->End(), "OK");
  const auto third = waiting.get();
  ASSERT_TRUE(third->Send("3"));
  EXPECT_EQ(third->Receive(), "echo 3");
}

}  // namespace
}  // namespace strata
