#ifndef STRATA_RPC_H2_STREAM_CALL_H_
#define STRATA_RPC_H2_STREAM_CALL_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/status.h"
#include "rpc/h2/call.h"
#include "rpc/stream.h"

namespace strata {

class GrpcWorker;

// A call with any number of messages, each way. Its handler is called by the
// poller alone. Messages that the handler does not take wait here, at most a
// call's window of them.
class GrpcStreamCall : public GrpcCall, public StreamSink {
 public:
  GrpcStreamCall(GrpcWorker* worker, std::shared_ptr<GrpcConnection> connection,
                 int32_t stream, CallHead head);

  void Happened(Event event, std::string bytes) override;
  bool is_stream() const override { return true; }

  bool Writable() const override;
  void Write(StreamMessage message) override;
  void ReadMore() override;
  void Finish(const Status& status) override;

 private:
  void Open();
  // Gives the handler what waits, until it wants no more.
  void Deliver();

  GrpcWorker* const worker_;
  std::atomic<bool> more_ = false;  // asked for since the last message

  // Bound to the poller.
  std::shared_ptr<StreamHandler> handler_;  // none: not opened, or over
  std::deque<std::string> messages_;
  bool paused_ = false;      // no message is asked for
  size_t paused_bytes_ = 0;  // of the one before that
  bool reads_done_ = false;
};

}  // namespace strata

#endif  // STRATA_RPC_H2_STREAM_CALL_H_
