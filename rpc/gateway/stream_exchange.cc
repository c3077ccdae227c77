#include "rpc/gateway/stream_exchange.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "rpc/gateway/codes.h"
#include "rpc/gateway/json_value.h"

namespace strata {
namespace {

std::vector<HttpRequest::Header> JsonHeaders() {
  return {{"Content-Type", "application/json"},
          {"Grpc-Metadata-Content-Type", "application/grpc"}};
}

std::string Join(const StreamMessage& message) {
  std::string bytes;
  bytes.reserve(message.size());
  for (const StreamMessage::Piece& piece : message.pieces()) {
    bytes += piece.pin != nullptr ? piece.shared : piece.own;
  }
  return bytes;
}

// What can happen to an exchange, from any thread.
struct Happened {
  std::string body = {};
  bool body_end = false;
  bool writable = false;
  bool read_more = false;
  bool done = false;

  bool any() const {
    return !body.empty() || body_end || writable || read_more || done;
  }
};

class StreamExchange;

// The way out: a handler writes from one thread at a time.
class LineSink : public StreamSink {
 public:
  LineSink(std::shared_ptr<const StreamPlace> place,
           std::shared_ptr<HttpSink> sink,
           std::weak_ptr<StreamExchange> exchange)
      : place_(std::move(place)),
        sink_(std::move(sink)),
        exchange_(std::move(exchange)) {}

  bool Writable() const override {
    return !place_->codec.server_streams() || sink_->Writable();
  }
  void Write(StreamMessage message) override;
  void ReadMore() override;
  void Finish(const Status& status) override;

 private:
  void Begin() {
    if (!begun_.exchange(true)) sink_->Begin(200, JsonHeaders());
  }
  void FinishStream(const Status& status);

  const std::shared_ptr<const StreamPlace> place_;
  const std::shared_ptr<HttpSink> sink_;
  const std::weak_ptr<StreamExchange> exchange_;
  std::atomic<bool> begun_ = false;
  std::atomic<bool> finished_ = false;
  std::mutex mutex_;
  std::string answer_;  // guarded by mutex_: of a method that is no stream
};

// The handler's callbacks come one at a time, by whichever thread brings the
// news: one that finds another at it leaves its news there.
class StreamExchange : public HttpHandler,
                       public std::enable_shared_from_this<StreamExchange> {
 public:
  StreamExchange(std::shared_ptr<const StreamPlace> place,
                 std::shared_ptr<HttpSink> sink)
      : place_(std::move(place)),
        sink_(std::move(sink)),
        values_(place_->max_value_bytes) {}

  void Open() {
    auto sink = std::make_shared<LineSink>(place_, sink_, weak_from_this());
    handler_ = place_->method.open(std::move(sink));
  }

  bool OnBody(std::string_view bytes) override {
    Tell({.body = std::string(bytes)});
    const std::lock_guard lock(mutex_);
    if (std::exchange(wants_body_, false)) return true;
    body_waits_ = true;
    return false;
  }
  void OnBodyEnd() override { Tell({.body_end = true}); }
  void OnWritable() override { Tell({.writable = true}); }
  void OnDone() override { Tell({.done = true}); }

  void Tell(const Happened& news);

 private:
  void Process(const Happened& news);
  void Pump();
  void Deliver(std::string_view value);
  void Refuse(const Status& status);
  void EndReads();
  void WantBody();

  const std::shared_ptr<const StreamPlace> place_;
  const std::shared_ptr<HttpSink> sink_;

  // Used by the thread that processes:
  std::shared_ptr<StreamHandler> handler_;  // null once the call is over
  JsonSplitter values_;
  bool body_ended_ = false;
  bool reading_ = true;      // the handler takes messages
  bool delivered_ = false;   // one, at least
  bool reads_done_ = false;  // and the handler knows

  std::mutex mutex_;
  // Guarded by mutex_:
  Happened news_;
  bool processing_ = false;
  bool wants_body_ = false;  // OnBody may go on
  bool body_waits_ = false;  // it has returned false
};

void LineSink::Write(StreamMessage message) {
  StatusOr<std::string> text = place_->codec.Encode(Join(message));
  if (!text.ok()) return Finish(text.status());
  if (!place_->codec.server_streams()) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(*text);
    return;
  }
  Begin();
  sink_->Write(R"({"result":)" + *text + "}\n");
}

// The handler may hold the lock that its callbacks take.
void LineSink::ReadMore() {
  place_->loop->Post([weak = exchange_] {
    if (auto exchange = weak.lock()) exchange->Tell({.read_more = true});
  });
}

void LineSink::Finish(const Status& status) {
  if (finished_.exchange(true)) return;
  if (place_->codec.server_streams()) return FinishStream(status);
  if (!status.ok()) return sink_->Reply(GatewayError(status, place_->level));
  std::string answer;
  {
    const std::lock_guard lock(mutex_);
    answer = std::move(answer_);
  }
  sink_->Reply(
      {.status = 200, .headers = JsonHeaders(), .body = std::move(answer)});
}

void LineSink::FinishStream(const Status& status) {
  const Level level = place_->level;
  if (!status.ok() && !begun_) {
    return sink_->Reply({.status = HttpStatusOf(status.code(), level),
                         .headers = {{"Content-Type", "application/json"}},
                         .body = StreamError(status, level)});
  }
  if (!begun_) {
    return sink_->Reply(
        {.status = 200, .headers = {{"Content-Type", "application/json"}}});
  }
  if (!status.ok()) sink_->Write(StreamError(status, level));
  sink_->Finish();
}

void StreamExchange::Tell(const Happened& news) {
  {
    const std::lock_guard lock(mutex_);
    news_.body += news.body;
    news_.body_end |= news.body_end;
    news_.writable |= news.writable;
    news_.read_more |= news.read_more;
    news_.done |= news.done;
    if (std::exchange(processing_, true)) return;
  }
  const auto self = shared_from_this();
  while (true) {
    Happened taken;
    {
      const std::lock_guard lock(mutex_);
      if (!news_.any()) {
        processing_ = false;
        return;
      }
      taken = std::exchange(news_, {});
    }
    Process(taken);
  }
}

void StreamExchange::Process(const Happened& news) {
  if (handler_ == nullptr) return;
  if (news.done) {
    handler_->OnDone();
    handler_.reset();
    return;
  }
  if (news.writable) handler_->OnWritable();
  if (news.read_more) reading_ = true;
  // What follows the last message is not looked at.
  if (reads_done_) return WantBody();
  values_.Feed(news.body);
  if (news.body_end) {
    values_.End();
    body_ended_ = true;
  }
  Pump();
}

void StreamExchange::Pump() {
  while (reading_ && !reads_done_) {
    StatusOr<std::optional<std::string>> value = values_.Next();
    if (!value.ok()) {
      Refuse(value.status());
    } else if (value->has_value()) {
      Deliver(**value);
    } else if (!body_ended_) {
      break;
    } else if (!place_->codec.client_streams()) {
      Deliver("");
    } else {
      EndReads();
    }
  }
  if (reading_ || reads_done_) WantBody();
}

void StreamExchange::Deliver(std::string_view value) {
  const StatusOr<std::string> bytes = place_->codec.Decode(value);
  if (!bytes.ok()) return Refuse(bytes.status());
  delivered_ = true;
  reading_ = handler_->OnMessage(*bytes);
  if (!place_->codec.client_streams()) EndReads();
}

// As etcd's gateway: what cannot be read is told if it comes first; later it
// only ends what the client sends.
void StreamExchange::Refuse(const Status& status) {
  if (!delivered_) {
    const bool unknown = place_->codec.client_streams() &&
                         status.code() == Code::kInvalidArgument;
    sink_->Reply(GatewayError(
        unknown ? Status(Code::kUnknown, status.message()) : status,
        place_->level));
    reads_done_ = true;
    return;
  }
  EndReads();
}

void StreamExchange::EndReads() {
  reads_done_ = true;
  handler_->OnReadsDone();
}

void StreamExchange::WantBody() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(body_waits_, false)) {
      wants_body_ = true;
      return;
    }
  }
  sink_->ReadMore();
}

}  // namespace

std::shared_ptr<HttpHandler> NewStreamExchange(
    std::shared_ptr<const StreamPlace> place, std::shared_ptr<HttpSink> sink) {
  auto exchange =
      std::make_shared<StreamExchange>(std::move(place), std::move(sink));
  exchange->Open();
  return exchange;
}

}  // namespace strata
