#include "rpc/grpc_server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rpc/listening_testing.h"

namespace strata {
namespace {

constexpr uint64_t kMaxRequestBytes = 1000;

// A client that sends and gets bytes.
class Client {
 public:
  explicit Client(int port)
      : stub_(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                  grpc::InsecureChannelCredentials())) {}

  // "Code: text", or the answer.
  std::string Call(const std::string& path, const std::string& request,
                   std::chrono::milliseconds patience = std::chrono::hours(1)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + patience);
    grpc::CompletionQueue queue;
    const grpc::Slice slice(request);
    auto reader = stub_.PrepareUnaryCall(&context, path,
                                         grpc::ByteBuffer(&slice, 1), &queue);
    reader->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    reader->Finish(&response, &status, this);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    if (!status.ok()) {
      return Status(static_cast<Code>(status.error_code()),
                    status.error_message())
          .ToString();
    }
    grpc::Slice all;
    EXPECT_TRUE(response.DumpToSingleSlice(&all).ok());
    return std::string(reinterpret_cast<const char*>(all.begin()), all.size());
  }

 private:
  grpc::GenericStub stub_;
};

class GrpcServerTest : public testing::Test {
 protected:
  void Start(std::vector<UnaryMethod> methods, GrpcServerOptions options = {}) {
    options.max_request_bytes = kMaxRequestBytes;
    auto server =
        GrpcServer::Start(options, std::move(methods), {}, {.node = &loop_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    port_ = listening_.Listen(server_.get());
    client_ = std::make_unique<Client>(port_);
  }
  void TearDown() override {
    listening_.Stop();
    if (server_ != nullptr) server_->Shutdown(std::chrono::seconds(10));
  }

  // Answers from the loop, after `work` there.
  UnaryMethod ThroughLog(const std::string& name,
                         std::function<void(const std::string&)> work) {
    return {.path = "/test.Test/" + name,
            .call =
                [this, work = std::move(work)](std::string_view request,
                                               google::protobuf::Arena*,
                                               Reply reply) {
                  loop_.Post([=, text = std::string(request)] {
                    work(text);
                    reply("logged " + text);
                  });
                },
            .through_log = true};
  }

  CombiningLoop loop_{"log"};
  ListeningForTest listening_;
  std::unique_ptr<GrpcServer> server_;
  int port_ = 0;
  std::unique_ptr<Client> client_;
};

UnaryMethod Echo() {
  return {"/test.Test/Echo",
          [](std::string_view request, google::protobuf::Arena*, Reply reply) {
            reply("echo " + std::string(request));
          }};
}

TEST_F(GrpcServerTest, AnswersAndErrors) {
  Start({Echo(), {"/test.Test/Refuse", [](auto, auto, Reply reply) {
                    reply(OutOfRangeError("no further"));
                  }}});
  EXPECT_EQ(client_->Call("/test.Test/Echo", "hello"), "echo hello");
  EXPECT_EQ(client_->Call("/test.Test/Echo", ""), "echo ");
  EXPECT_EQ(client_->Call("/test.Test/Refuse", "x"), "OutOfRange: no further");
  EXPECT_EQ(client_->Call("/test.Test/Fly", "x"),
            "Unimplemented: unknown service test.Test");
  EXPECT_EQ(client_->Call("/etcdserverpb.Watch/Watch", ""),
            "Unimplemented: strata does not implement "
            "etcdserverpb.Watch.Watch yet");
}

// Both kinds of slices: copied, and handed over.
TEST_F(GrpcServerTest, LargeAnswers) {
  Start({{"/test.Test/Grow",
          [](std::string_view request, google::protobuf::Arena*, Reply reply) {
            reply(std::string(std::stoul(std::string(request)), 'x'));
          }}});
  for (size_t size : {4096, 4097, 3'000'000}) {
    EXPECT_EQ(client_->Call("/test.Test/Grow", std::to_string(size)),
              std::string(size, 'x'));
  }
}

TEST_F(GrpcServerTest, MessagesThatAreTooLarge) {
  Start({Echo()});
  const size_t max = kMaxRequestBytes + limits::kGrpcOverheadBytes;
  EXPECT_EQ(client_->Call("/test.Test/Echo", std::string(max, 'x')).size(),
            max + 5);
  EXPECT_EQ(client_->Call("/test.Test/Echo", std::string(max + 1, 'x')),
            "ResourceExhausted: grpc: received message larger than max (" +
                std::to_string(max + 1) + " vs. " + std::to_string(max) + ")");
  // Far beyond it gRPC itself hangs up.
  EXPECT_TRUE(client_->Call("/test.Test/Echo", std::string(5 * max, 'x'))
                  .starts_with("ResourceExhausted: "));
  EXPECT_EQ(client_->Call("/test.Test/Echo", "x"), "echo x");
}

TEST_F(GrpcServerTest, ManyCallsAtOnceAnsweredFromElsewhere) {
  const auto loop = NewThreadedLoop("replies");
  Start({{"/test.Test/Later",
          [&](std::string_view request, google::protobuf::Arena*, Reply reply) {
            loop->Post([answer = std::string(request), reply] {
              reply("later " + answer);
            });
          }}});
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Client client(port_);
      for (int i = 0; i < 100; ++i) {
        const std::string text = std::to_string(t * 1000 + i);
        right += client.Call("/test.Test/Later", text) == "later " + text;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 800);
}

TEST_F(GrpcServerTest, ShutdownWaitsForWhatIsBeingServed) {
  std::promise<Reply> begun;
  Start({{"/test.Test/Hold", [&](auto, auto, Reply reply) {
            begun.set_value(std::move(reply));
          }}});
  auto answer = std::async(std::launch::async, [&] {
    return client_->Call("/test.Test/Hold", "x");
  });
  const Reply reply = begun.get_future().get();
  auto stopped = std::async(
      std::launch::async, [&] { server_->Shutdown(std::chrono::seconds(10)); });
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(100)),
            std::future_status::timeout);
  reply(std::string("done"));
  EXPECT_EQ(answer.get(), "done");
  stopped.get();
  server_.reset();
}

// A client that gives up has not given back what its call holds: some are being
// served, and others wait for those.
TEST_F(GrpcServerTest, CallsThatWereTakenBackCountUntilTheyAreOver) {
  constexpr size_t kBytes = 400 << 10;
  constexpr size_t kBudget = 30 * kBytes;
  constexpr size_t kCalls = 60;
  std::mutex mutex;
  std::vector<Reply> held;  // guarded by mutex
  bool holds = true;        // guarded by mutex
  GrpcServerOptions options;
  options.memory_bytes = kBudget;
  Start({Echo(),
         {"/test.Test/Hold",
          [&](auto, auto, Reply reply) {
            const std::lock_guard lock(mutex);
            if (!holds) return reply(std::string("answered"));
            held.push_back(std::move(reply));
          }}},
        options);
  const std::string request(kBytes, 'x');
  const auto call = [&](std::chrono::milliseconds patience) {
    return client_->Call("/test.Test/Hold", request, patience);
  };
  size_t refused = 0;
  for (size_t i = 0; i < kCalls; ++i) {
    refused += call(std::chrono::milliseconds(50))
                   .starts_with("ResourceExhausted: etcdserver: too many");
  }
  EXPECT_GE(refused, kCalls - kBudget / kBytes);
  EXPECT_LT(refused, kCalls - kBudget / kBytes / 2);
  {
    const std::lock_guard lock(mutex);
    EXPECT_LT(held.size(), kBudget / kBytes);
    holds = false;
    for (const Reply& reply : held) reply(std::string("late"));
  }
  // All is back.
  for (size_t i = 0; i < 2 * kCalls; ++i) {
    EXPECT_EQ(call(std::chrono::seconds(10)), "answered");
  }
}

TEST_F(GrpcServerTest, ClosesWhatItAdoptsAfterItsEnd) {
  Start({Echo()});
  server_->Shutdown(std::chrono::seconds(10));
  std::array<int, 2> ends;
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  server_->Adopt(ends[0]);
  server_.reset();
  char byte = 0;
  EXPECT_EQ(read(ends[1], &byte, 1), 0);
  close(ends[1]);
}

// The thread that takes a call, and the one that does its work.
TEST_F(GrpcServerTest, ACallThatIsAloneNeedsNoOtherThread) {
  std::thread::id worked, took;
  UnaryMethod put =
      ThroughLog("Put", [&](auto&) { worked = std::this_thread::get_id(); });
  Start({{.path = put.path,
          .call =
              [&](auto request, auto arena, Reply reply) {
                took = std::this_thread::get_id();
                put.call(request, arena, std::move(reply));
              },
          .through_log = true}});
  int carried_through = 0;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(client_->Call("/test.Test/Put", "x"), "logged x");
    carried_through += worked == took;
  }
  // A machine that stops for some milliseconds makes it a few less.
  EXPECT_GT(carried_through, 20);
}

// As with a disk that stalls: what does not need it is answered meanwhile, and
// what does waits its turn. Again and again, as the two threads change places.
TEST_F(GrpcServerTest, CallsGoOnWhileTheLogHangs) {
  std::optional<std::promise<void>> hung, go_on;
  Start({Echo(), ThroughLog("Put", [&](const std::string& text) {
           if (text != "hang") return;
           hung->set_value();
           go_on->get_future().wait();
         })});
  Client other(port_);
  for (int round = 0; round < 4; ++round) {
    // Until it is alone for the server, too.
    for (int i = 0; i < 70; ++i) {
      EXPECT_EQ(client_->Call("/test.Test/Put", "x"), "logged x");
    }
    hung.emplace();
    go_on.emplace();
    auto hanging = std::async(std::launch::async, [&] {
      return client_->Call("/test.Test/Put", "hang");
    });
    hung->get_future().wait();
    EXPECT_EQ(other.Call("/test.Test/Echo", "a"), "echo a");
    auto waiting = std::async(
        std::launch::async, [&] { return other.Call("/test.Test/Put", "y"); });
    Client third(port_);
    EXPECT_EQ(third.Call("/test.Test/Echo", "b"), "echo b");
    EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(0)),
              std::future_status::timeout);
    go_on->set_value();
    EXPECT_EQ(hanging.get(), "logged hang");
    EXPECT_EQ(waiting.get(), "logged y");
  }
}

TEST_F(GrpcServerTest, ShutdownWhileTheLogHangs) {
  std::promise<void> hung, go_on;
  Start({ThroughLog("Put", [&](auto&) {
    hung.set_value();
    go_on.get_future().wait();
  })});
  auto answer = std::async(
      std::launch::async, [&] { return client_->Call("/test.Test/Put", "x"); });
  hung.get_future().wait();
  auto stopped = std::async(
      std::launch::async, [&] { server_->Shutdown(std::chrono::seconds(10)); });
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(20)),
            std::future_status::timeout);
  go_on.set_value();
  EXPECT_EQ(answer.get(), "logged x");
  stopped.get();
  server_.reset();
}

TEST_F(GrpcServerTest, AllKindsOfCallsAtOnce) {
  Start({Echo(), ThroughLog("Put", [](auto&) { std::this_thread::yield(); })});
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Client client(port_);
      for (int i = 0; i < 100; ++i) {
        right += t % 2 == 0 ? client.Call("/test.Test/Put", "x") == "logged x"
                            : client.Call("/test.Test/Echo", "x") == "echo x";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
}

}  // namespace
}  // namespace strata
