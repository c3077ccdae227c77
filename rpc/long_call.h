#ifndef STRATA_RPC_LONG_CALL_H_
#define STRATA_RPC_LONG_CALL_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/status.h"
#include "rpc/stream.h"
#include "rpc/unary.h"

namespace strata {

// Begins a call; what it returns is called once the call is over, answered or
// not: its client may have gone.
template <typename Request>
using LongCall =
    std::function<std::function<void()>(const Request& request, Reply reply)>;

// A method with one request and one answer that may be long in coming.
template <typename Request>
class LongCallHandler : public StreamHandler {
 public:
  LongCallHandler(LongCall<Request> call, std::shared_ptr<StreamSink> sink)
      : call_(std::move(call)), sink_(std::move(sink)) {}

  bool OnMessage(std::string_view bytes) override {
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      sink_->Finish(InternalError("grpc: error unmarshalling request"));
      return false;
    }
    over_ = call_(request, [sink = sink_](StatusOr<std::string> answer) {
      if (answer.ok()) sink->Write(StreamMessage(std::move(*answer)));
      sink->Finish(answer.status());
    });
    return false;
  }
  void OnWritable() override {}
  void OnReadsDone() override {}
  void OnDone() override {
    if (over_ != nullptr) over_();
  }

 private:
  const LongCall<Request> call_;
  const std::shared_ptr<StreamSink> sink_;
  std::function<void()> over_;
};

template <typename Request>
StreamMethod MakeLongCall(std::string path, LongCall<Request> call) {
  return {std::move(path),
          [call = std::move(call)](std::shared_ptr<StreamSink> sink) {
            return std::make_shared<LongCallHandler<Request>>(call,
                                                              std::move(sink));
          }};
}

}  // namespace strata

#endif  // STRATA_RPC_LONG_CALL_H_
