#include "rpc/h2/stream_call.h"

#include <utility>

#include "rpc/h2/connection.h"
#include "rpc/h2/shared.h"
#include "rpc/h2/worker.h"
#include "server/errors.h"

namespace strata {

GrpcStreamCall::GrpcStreamCall(GrpcWorker* worker,
                               std::shared_ptr<GrpcConnection> connection,
                               int32_t stream, CallHead head)
    : GrpcCall(std::move(connection), stream, std::move(head),
               worker->shared()->max_message_bytes),
      worker_(worker) {}

void GrpcStreamCall::Happened(Event event, std::string bytes) {
  if (event == Event::kOpened) return Open();
  if (handler_ == nullptr) return;
  switch (event) {
    case Event::kMessage:
      messages_.push_back(std::move(bytes));
      return Deliver();
    case Event::kReadsDone:
      reads_done_ = true;
      return Deliver();
    case Event::kReadMore:
      if (!paused_ || !more_) return;
      paused_ = false;
      connection()->TookMessage(this, paused_bytes_);
      return Deliver();
    case Event::kWritable:
      return handler_->OnWritable();
    case Event::kExpired:
      return Finish(
          Status(Code::kDeadlineExceeded, "context deadline exceeded"));
    case Event::kOver:
      handler_->OnDone();
      handler_ = nullptr;
      messages_.clear();
      return worker_->Closed(this);
    case Event::kOpened:
    case Event::kAnswered:
      return;
  }
}

void GrpcStreamCall::Open() {
  const std::shared_ptr<GrpcCall> self = shared_from_this();
  handler_ = head().method->stream.open(
      std::shared_ptr<StreamSink>(self, static_cast<StreamSink*>(this)));
  const auto& has_leader = worker_->shared()->options.has_leader;
  if (head().asks_for_leader && has_leader != nullptr && !has_leader()) {
    Finish(errors::NoLeader());
  }
  worker_->Opened(self);
}

void GrpcStreamCall::Deliver() {
  while (!paused_ && !messages_.empty()) {
    const std::string message = std::move(messages_.front());
    messages_.pop_front();
    more_ = false;
    const bool go_on = handler_->OnMessage(message);
    paused_ = !go_on && !more_;
    paused_bytes_ = message.size();
    if (!paused_) connection()->TookMessage(this, message.size());
  }
  if (!paused_ && std::exchange(reads_done_, false)) handler_->OnReadsDone();
}

bool GrpcStreamCall::Writable() const { return connection()->HasRoom(this); }

void GrpcStreamCall::Write(StreamMessage message) {
  connection()->Send(this, std::move(message));
}

void GrpcStreamCall::ReadMore() {
  more_ = true;
  worker_->Post({{shared_from_this(), Event::kReadMore}});
}

void GrpcStreamCall::Finish(const Status& status) {
  connection()->End(this, status);
}

}  // namespace strata
