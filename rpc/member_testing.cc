#include "rpc/member_testing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/env.h"

namespace strata {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);

NodeOptions OptionsFor(Level level) {
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  NodeOptions options;
  options.data_dir = JoinPath(testing::TempDir(),
                              std::string(info->name()) + level.ToString());
  options.level = level;
  options.backend = BackendKind::kMem;
  options.wal_segment_bytes = 1 << 20;
  options.initial_advertise_peer_urls = {"http://localhost:2380"};
  options.advertise_client_urls = {"http://localhost:2379"};
  return options;
}

}  // namespace

TestMember::TestMember(Level level) {
  auto node = Node::Open(OptionsFor(level), {.env = Env::Posix(),
                                             .loop = loop_.get(),
                                             .flusher = flusher_.get(),
                                             .background = background_.get(),
                                             .logger = Logger::Null(),
                                             .on_fatal = nullptr});
  CHECK(node.ok()) << node.status().ToString();
  node_ = std::move(*node);
  services_ = std::make_unique<Services>(node_.get(),
                                         ServiceLoops{.worker = worker_.get(),
                                                      .hasher = hasher_.get(),
                                                      .copier = worker_.get(),
                                                      .claims = claims_.get()},
                                         KvOptions());
}

TestMember::~TestMember() {
  EXPECT_TRUE(node_->Stop().ok());
  claims_.reset();
  hasher_.reset();
}

std::string TestAnswer::Header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

// Has room for everything. Asked for more, it says so to nobody: a test sends
// when it likes.
class TestExchange::Sink : public HttpSink {
 public:
  void Reply(HttpResponse response) override {
    Change([&](TestAnswer* answer) {
      answer->status = response.status;
      answer->headers = std::move(response.headers);
      answer->body = std::move(response.body);
      answer->over = true;
    });
  }
  void Begin(int status, std::vector<HttpRequest::Header> headers) override {
    Change([&](TestAnswer* answer) {
      EXPECT_EQ(answer->status, 0);
      answer->status = status;
      answer->headers = std::move(headers);
    });
  }
  bool Writable() const override { return true; }
  void Write(std::string bytes) override {
    Change([&](TestAnswer* answer) { answer->body += bytes; });
  }
  void Finish() override {
    Change([](TestAnswer* answer) { answer->over = true; });
  }
  void Abort() override {
    Change([](TestAnswer* answer) { answer->over = answer->aborted = true; });
  }
  void ReadMore() override {}

  TestAnswer Wait(size_t lines) {
    std::unique_lock lock(mutex_);
    const bool there = changed_.wait_for(lock, kPatience, [&] {
      return answer_.over || static_cast<size_t>(std::ranges::count(
                                 answer_.body, '\n')) >= lines;
    });
    EXPECT_TRUE(there) << "so far: " << answer_.body;
    return answer_;
  }

 private:
  template <typename Function>
  void Change(Function change) {
    const std::lock_guard lock(mutex_);
    if (answer_.over) return;
    change(&answer_);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  TestAnswer answer_;  // guarded by mutex_
};

TestExchange::TestExchange(const std::vector<HttpRoute>& routes,
                           HttpRequest request)
    : sink_(std::make_shared<Sink>()) {
  const HttpRoute* const route = FindRoute(routes, request.path);
  CHECK(route != nullptr) << request.path;
  handler_ = route->open(std::move(request), sink_);
}

TestExchange::~TestExchange() { handler_->OnDone(); }

bool TestExchange::Send(const std::string& body) {
  return handler_->OnBody(body);
}

void TestExchange::EndBody() { handler_->OnBodyEnd(); }

TestAnswer TestExchange::Wait(size_t lines) { return sink_->Wait(lines); }

TestAnswer Ask(const std::vector<HttpRoute>& routes, const std::string& method,
               const std::string& target, const std::string& body,
               std::vector<HttpRequest::Header> headers) {
  const size_t question = std::min(target.find('?'), target.size());
  HttpRequest request;
  request.method = method;
  request.path = target.substr(0, question);
  request.query = target.substr(std::min(question + 1, target.size()));
  request.headers = std::move(headers);
  TestExchange exchange(routes, std::move(request));
  if (!body.empty()) exchange.Send(body);
  exchange.EndBody();
  return exchange.Wait();
}

}  // namespace strata
