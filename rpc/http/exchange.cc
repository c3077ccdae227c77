#include "rpc/http/exchange.h"

namespace strata {
namespace {

// Small pieces are sent together.
constexpr size_t kGatheredBytes = 16 << 10;
// Who has more to say has other things to do, too.
constexpr size_t kWrittenAtOnce = 32 << 10;

}  // namespace

HttpExchange::HttpExchange(IoThread* thread, ByteStream* stream,
                           const ResponseForm& form,
                           uint64_t write_buffer_bytes,
                           std::function<void()> wake)
    : stream_(stream->any_thread_writes() ? stream : nullptr),
      write_buffer_bytes_(write_buffer_bytes),
      wake_(std::move(wake)),
      thread_(thread),
      form_(form) {}

void HttpExchange::Reply(HttpResponse response) {
  const Lock lock(mutex_);
  if (over() || output_.begun) return;
  output_.begun = true;
  output_.ended = true;
  for (const auto& [name, value] : response.headers) {
    if (name == "Connection" && value == "close") form_.close = true;
  }
  output_.close = Form().close;
  Queue(FormatResponse(response, Form(), thread_->WallNow()));
  Wake();
}

void HttpExchange::Begin(int status, std::vector<HttpRequest::Header> headers) {
  const Lock lock(mutex_);
  if (over() || output_.begun) return;
  output_.begun = true;
  ResponseForm form = Form();
  Queue(FormatHead(status, headers, thread_->WallNow(), &form, &chunked_));
  form_.head_only = form.head_only || HasNoBody(status);
  output_.close = form.close;
  Wake();
}

bool HttpExchange::Writable() const {
  if (queued_bytes_ < write_buffer_bytes_) return true;
  was_full_ = true;
  // It may have been sent just before: then nobody would call.
  return queued_bytes_ < write_buffer_bytes_;
}

void HttpExchange::Write(std::string bytes) {
  const Lock lock(mutex_);
  if (over() || !output_.begun || output_.ended) return;
  if (bytes.empty() || form_.head_only) return;
  bytes = WriteNow(chunked_ ? FormatChunk(bytes) : std::move(bytes));
  if (bytes.empty()) return;
  Queue(std::move(bytes));
  Wake();
}

// Nothing queued: the connection has sent all, the head too, and writes nothing
// before it is woken. If writing fails it will find the same.
std::string HttpExchange::WriteNow(std::string bytes) {
  if (stream_ == nullptr || queued_bytes_ > 0 || output_.aborted ||
      bytes.size() > kWrittenAtOnce) {
    return bytes;
  }
  const ByteStream::Result sent = stream_->Write(bytes);
  if (sent.outcome == ByteStream::Outcome::kDone) bytes.erase(0, sent.bytes);
  return bytes;
}

void HttpExchange::Finish() {
  const Lock lock(mutex_);
  if (over() || !output_.begun || output_.ended) return;
  if (chunked_) Queue(std::string(kLastChunk));
  output_.ended = true;
  Wake();
}

void HttpExchange::Abort() {
  const Lock lock(mutex_);
  if (over() || output_.ended) return;
  output_.aborted = true;
  Wake();
}

void HttpExchange::ReadMore() {
  const Lock lock(mutex_);
  if (over()) return;
  output_.read_more = true;
  Wake();
}

HttpExchange::Output HttpExchange::Take() {
  const Lock lock(mutex_);
  waking_ = false;
  std::deque<std::string> bytes;
  bytes.swap(output_.bytes);
  Output taken = output_;
  taken.bytes = std::move(bytes);
  output_.read_more = false;
  return taken;
}

bool HttpExchange::Sent(uint64_t bytes) {
  const uint64_t left = queued_bytes_.fetch_sub(bytes) - bytes;
  return left < write_buffer_bytes_ / 2 + 1 && was_full_.exchange(false);
}

void HttpExchange::BodyEnded() {
  const Lock lock(mutex_);
  body_ended_ = true;
}

void HttpExchange::CloseAfter() {
  const Lock lock(mutex_);
  form_.close = true;
}

bool HttpExchange::EndUnanswered() {
  const Lock lock(mutex_);
  if (output_.begun) return false;
  thread_ = nullptr;
  return true;
}

void HttpExchange::End() {
  const Lock lock(mutex_);
  thread_ = nullptr;
}

ResponseForm HttpExchange::Form() const {
  ResponseForm form = form_;
  // What is left of the body would be taken for the next request.
  form.close = form.close || !body_ended_;
  return form;
}

void HttpExchange::Queue(std::string bytes) {
  queued_bytes_ += bytes.size();
  std::deque<std::string>& queue = output_.bytes;
  if (!queue.empty() && queue.back().size() + bytes.size() <= kGatheredBytes) {
    queue.back() += bytes;
  } else {
    queue.push_back(std::move(bytes));
  }
}

void HttpExchange::Wake() {
  if (waking_) return;
  waking_ = true;
  thread_->Post(wake_);
}

}  // namespace strata
