#include "rpc/peer/stream_writer.h"

#include <utility>

namespace strata::peer {
namespace {

// A block of frames is written at once and closed when it reaches this.
constexpr size_t kBlockBytes = 64 << 10;

}  // namespace

// The transport's view of one connection of a writer.
class StreamWriter::Exchange : public HttpHandler {
 public:
  explicit Exchange(std::shared_ptr<StreamWriter> writer)
      : writer_(std::move(writer)) {}

  bool OnBody(std::string_view) override { return true; }
  void OnBodyEnd() override {}
  void OnWritable() override { writer_->Writable(this); }
  void OnDone() override { writer_->Over(this); }

 private:
  const std::shared_ptr<StreamWriter> writer_;
};

std::shared_ptr<HttpHandler> StreamWriter::Attach(
    const std::shared_ptr<HttpSink>& sink,
    std::vector<HttpRequest::Header> headers) {
  auto exchange = std::make_shared<Exchange>(shared_from_this());
  sink->Begin(200, std::move(headers));
  std::shared_ptr<HttpSink> old;
  bool dropped = false;
  {
    const std::lock_guard lock(mutex_);
    old = std::exchange(sink_, sink);
    exchange_ = exchange.get();
    encoder_ = options_.make_encoder();
    dropped = !queue_.empty();
    queue_.clear();
    queued_bytes_ = 0;
    idle_ = false;
    working_ = true;
  }
  if (old != nullptr) old->Abort();
  if (dropped) options_.lost();
  return exchange;
}

StreamWriter::Outcome StreamWriter::Send(const raft::Message& message) {
  const std::lock_guard lock(mutex_);
  if (sink_ == nullptr) return Outcome::kNoStream;
  if (queued_bytes_ >= options_.max_queued_bytes) return Outcome::kFull;
  if (queue_.empty() || queue_.back().size() >= kBlockBytes) {
    queue_.emplace_back();
  }
  const size_t before = queue_.back().size();
  encoder_->Encode(message, &queue_.back());
  queued_bytes_ += queue_.back().size() - before;
  return Outcome::kTaken;
}

void StreamWriter::WriteQueued() {
  while (sink_ != nullptr && !queue_.empty() && sink_->Writable()) {
    std::string block = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= block.size();
    idle_ = false;
    options_.sent(block.size());
    sink_->Write(std::move(block));
  }
}

void StreamWriter::Flush() {
  const std::lock_guard lock(mutex_);
  WriteQueued();
}

void StreamWriter::KeepAlive() {
  const std::lock_guard lock(mutex_);
  if (sink_ == nullptr) return;
  if (queue_.empty() && std::exchange(idle_, true)) {
    encoder_->EncodeHeartbeat(&queue_.emplace_back());
    queued_bytes_ += queue_.back().size();
  }
  WriteQueued();
  idle_ = true;
}

void StreamWriter::Writable(const Exchange* exchange) {
  const std::lock_guard lock(mutex_);
  if (exchange == exchange_) WriteQueued();
}

void StreamWriter::Over(const Exchange* exchange) {
  bool dropped = false;
  {
    const std::lock_guard lock(mutex_);
    if (exchange != exchange_) return;
    working_ = false;
    dropped = !queue_.empty();
    sink_ = nullptr;
    exchange_ = nullptr;
    queue_.clear();
    queued_bytes_ = 0;
  }
  if (dropped) options_.lost();
}

void StreamWriter::Close() {
  std::shared_ptr<HttpSink> sink;
  {
    const std::lock_guard lock(mutex_);
    working_ = false;
    sink = std::exchange(sink_, nullptr);
    exchange_ = nullptr;
    queue_.clear();
    queued_bytes_ = 0;
  }
  if (sink != nullptr) sink->Abort();
}

}  // namespace strata::peer
