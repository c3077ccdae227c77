#include "rpc/h2/unary_call.h"

#include <utility>

#include "rpc/h2/connection.h"
#include "rpc/h2/shared.h"
#include "rpc/h2/worker.h"
#include "server/errors.h"

namespace strata {

GrpcUnaryCall::GrpcUnaryCall(GrpcWorker* worker,
                             std::shared_ptr<GrpcConnection> connection,
                             int32_t stream, CallHead head)
    : GrpcCall(std::move(connection), stream, std::move(head),
               worker->shared()->max_message_bytes),
      worker_(worker),
      arena_(ArenaOptionsFor(block_.data())) {}

google::protobuf::ArenaOptions GrpcUnaryCall::ArenaOptionsFor(char* block) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block;
  options.initial_block_size = kArenaBytes;
  return options;
}

bool GrpcUnaryCall::through_log() const {
  return head().method->unary.through_log;
}

void GrpcUnaryCall::Happened(Event event, std::string bytes) {
  if (event == Event::kMessage && self_ == nullptr) {
    if (!connection()->MayServe(this, &bytes)) return;
    request_ = std::move(bytes);
    self_ = shared_from_this();
    return worker_->Serve(this);
  }
  if (event == Event::kAnswered) Send();
}

void GrpcUnaryCall::Serve() {
  const auto& has_leader = worker_->shared()->options.has_leader;
  if (head().asks_for_leader && has_leader != nullptr && !has_leader()) {
    return Answered(errors::NoLeader());
  }
  head().method->unary.call(
      request_, &arena_,
      [this](StatusOr<std::string> answer) { Answered(std::move(answer)); });
}

void GrpcUnaryCall::Answered(StatusOr<std::string> answer) {
  answer_.emplace(std::move(answer));
  if (worker_->AnswersNow()) return Send();
  worker_->Post({{self_, Event::kAnswered}});
}

void GrpcUnaryCall::Send() {
  // The last reference, perhaps, when this returns.
  const std::shared_ptr<GrpcCall> self = std::move(self_);
  worker_->CountAnswered();
  connection()->Answer(this, std::move(*answer_));
  worker_->CountSent();
}

}  // namespace strata
