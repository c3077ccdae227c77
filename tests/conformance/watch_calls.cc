#include "tests/conformance/watch_calls.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "google/protobuf/text_format.h"

namespace strata::testing {
namespace {

using etcdserverpb::WatchRequest;
using etcdserverpb::WatchResponse;
using google::protobuf::TextFormat;

constexpr auto kPatience = std::chrono::seconds(20);
constexpr auto kQuiet = std::chrono::milliseconds(300);

size_t Count(const WatchResponse& response) {
  return std::max(1, response.events_size());
}

}  // namespace

// One stream, and a thread that reads it.
class WatchCalls::Stream {
 public:
  explicit Stream(etcdserverpb::Watch::Stub* stub)
      : stream_(stub->Watch(&context_)), reader_([this] { Read(); }) {}
  ~Stream() {
    context_.TryCancel();
    if (reader_.joinable()) reader_.join();
  }

  bool Send(const std::string& text) {
    WatchRequest request;
    if (!TextFormat::ParseFromString(text, &request)) return false;
    stream_->Write(request);
    return true;
  }
  void HalfClose() { stream_->WritesDone(); }

  std::string Wait(size_t count) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(
        lock, kPatience, [&] { return ended_ || Waiting() >= count; });
    std::string out = Take();
    if (!came) out += "(and no more came)\n";
    return out;
  }
  std::string Quiet() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kQuiet, [&] { return ended_; });
    return Take();
  }
  std::string End() {
    context_.TryCancel();
    reader_.join();
    const grpc::Status status = stream_->Finish();
    return Take() + "error " + std::to_string(status.error_code()) + ": " +
           status.error_message() + "\n";
  }

 private:
  void Read() {
    WatchResponse response;
    while (stream_->Read(&response)) {
      const std::lock_guard lock(mutex_);
      received_.push_back(response);
      changed_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  size_t Waiting() const {
    size_t count = 0;
    for (const WatchResponse& response : received_) count += Count(response);
    return count;
  }

  // The order between watchers is the server's choice.
  std::string Take() {
    std::stable_sort(received_.begin(), received_.end(),
                     [](const WatchResponse& a, const WatchResponse& b) {
                       return a.watch_id() < b.watch_id();
                     });
    std::string out;
    for (const WatchResponse& response : received_) {
      std::string text;
      TextFormat::PrintToString(response, &text);
      out += "response\n" + text;
    }
    received_.clear();
    return out;
  }

  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<WatchRequest, WatchResponse>>
      stream_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<WatchResponse> received_;  // guarded by mutex_
  bool ended_ = false;                   // guarded by mutex_
  std::thread reader_;
};

WatchCalls::WatchCalls(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(etcdserverpb::Watch::NewStub(channel)) {}

WatchCalls::~WatchCalls() = default;

bool WatchCalls::Run(const std::string& stream, const std::string& text,
                     std::string* out) {
  auto& at = streams_[stream];
  if (at == nullptr) at = std::make_unique<Stream>(stub_.get());
  std::istringstream words(text);
  std::string verb;
  words >> verb;
  out->clear();
  if (verb == "wait") {
    size_t count = 0;
    words >> count;
    *out = at->Wait(count);
  } else if (verb == "quiet") {
    *out = at->Quiet();
  } else if (verb == "half_close") {
    at->HalfClose();
  } else if (verb == "end") {
    *out = at->End();
    streams_.erase(stream);
  } else {
    return at->Send(text);
  }
  return true;
}

}  // namespace strata::testing
