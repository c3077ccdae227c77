#include "rpc/call_stats.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata {
namespace {

void Count(std::atomic<uint64_t>* count, uint64_t by = 1) {
  count->fetch_add(by, std::memory_order_relaxed);
}

void CountEnd(CallStats* stats, Code code) {
  Count(&stats->handled[static_cast<size_t>(code)]);
}

void CountReceived(CallStats* stats, uint64_t bytes) {
  Count(&stats->received);
  Count(&stats->received_bytes, bytes);
}

void CountSent(CallStats* stats, uint64_t bytes) {
  Count(&stats->sent);
  Count(&stats->sent_bytes, bytes);
}

// One call that is no stream.
struct Watched {
  CallStats* stats;
  SlowLog* slow_log;
  Time began;
  uint64_t request_bytes;
  Reply reply;

  void operator()(StatusOr<std::string> answer) const {
    const uint64_t bytes = answer.ok() ? answer->size() : 0;
    CountEnd(stats, answer.status().code());
    if (answer.ok()) CountSent(stats, bytes);
    const Duration took = slow_log->Now() - began;
    if (slow_log->IsSlow(took)) {
      slow_log->CallTook(took, "/" + stats->service + "/" + stats->method,
                         request_bytes, bytes, answer.status());
    }
    reply(std::move(answer));
  }
};

// How a stream ended: by its own word, or by its client's.
class CountingSink : public StreamSink {
 public:
  CountingSink(CallStats* stats, std::shared_ptr<StreamSink> sink)
      : stats_(stats), sink_(std::move(sink)) {}

  bool Writable() const override { return sink_->Writable(); }
  void Write(StreamMessage message) override {
    CountSent(stats_, message.size());
    sink_->Write(std::move(message));
  }
  void ReadMore() override { sink_->ReadMore(); }
  void Finish(const Status& status) override {
    End(status.code());
    sink_->Finish(status);
  }
  void End(Code code) {
    if (!ended_.exchange(true)) CountEnd(stats_, code);
  }

 private:
  CallStats* const stats_;
  const std::shared_ptr<StreamSink> sink_;
  std::atomic<bool> ended_ = false;
};

class CountingHandler : public StreamHandler {
 public:
  CountingHandler(CallStats* stats, std::shared_ptr<CountingSink> sink,
                  std::shared_ptr<StreamHandler> handler)
      : stats_(stats), sink_(std::move(sink)), handler_(std::move(handler)) {}

  bool OnMessage(std::string_view bytes) override {
    CountReceived(stats_, bytes.size());
    return handler_->OnMessage(bytes);
  }
  void OnWritable() override { handler_->OnWritable(); }
  void OnReadsDone() override { handler_->OnReadsDone(); }
  void OnDone() override {
    sink_->End(Code::kCanceled);
    handler_->OnDone();
  }

 private:
  CallStats* const stats_;
  const std::shared_ptr<CountingSink> sink_;
  const std::shared_ptr<StreamHandler> handler_;
};

}  // namespace

CallStats::CallStats(std::string_view path) {
  const size_t slash = path.rfind('/');
  service = path.substr(1, slash - 1);
  method = path.substr(slash + 1);
  const auto* const found =
      google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
          service + "." + method);
  CHECK(found != nullptr) << std::string(path);
  type = found->client_streaming()   ? "bidi_stream"
         : found->server_streaming() ? "server_stream"
                                     : "unary";
}

CallStats* CallObserver::Add(std::string_view path) {
  stats_.push_back(std::make_unique<CallStats>(path));
  return stats_.back().get();
}

std::vector<UnaryMethod> CallObserver::Observe(
    std::vector<UnaryMethod> methods) {
  for (UnaryMethod& method : methods) {
    CallStats* const stats = Add(method.path);
    method.call = [stats, slow_log = &slow_log_, call = std::move(method.call)](
                      std::string_view request, google::protobuf::Arena* arena,
                      Reply reply) {
      Count(&stats->started);
      CountReceived(stats, request.size());
      call(request, arena,
           Watched{stats, slow_log, slow_log->Now(), request.size(),
                   std::move(reply)});
    };
  }
  return methods;
}

std::vector<StreamMethod> CallObserver::Observe(
    std::vector<StreamMethod> streams) {
  for (StreamMethod& stream : streams) {
    CallStats* const stats = Add(stream.path);
    stream.open = [stats, begin = std::move(stream.open)](
                      std::shared_ptr<StreamSink> sink)
        -> std::shared_ptr<StreamHandler> {
      Count(&stats->started);
      auto counting = std::make_shared<CountingSink>(stats, std::move(sink));
      auto handler = begin(counting);
      return std::make_shared<CountingHandler>(stats, std::move(counting),
                                               std::move(handler));
    };
  }
  return streams;
}

}  // namespace strata
