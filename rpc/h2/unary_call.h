#ifndef STRATA_RPC_H2_UNARY_CALL_H_
#define STRATA_RPC_H2_UNARY_CALL_H_

#include <google/protobuf/arena.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "rpc/h2/call.h"

namespace strata {

class GrpcWorker;

// One message in, one out.
class GrpcUnaryCall : public GrpcCall {
 public:
  GrpcUnaryCall(GrpcWorker* worker, std::shared_ptr<GrpcConnection> connection,
                int32_t stream, CallHead head);

  void Happened(Event event, std::string bytes) override;
  bool is_stream() const override { return false; }

  bool through_log() const;
  // Calls the method, on the poller or the thread that carries it through.
  void Serve();

 private:
  // What the arena has without asking for more: enough for most.
  static constexpr size_t kArenaBytes = 1024;

  static google::protobuf::ArenaOptions ArenaOptionsFor(char* block);

  // Any thread.
  void Answered(StatusOr<std::string> answer);
  void Send();

  GrpcWorker* const worker_;
  std::string request_;
  std::optional<StatusOr<std::string>> answer_;
  // Itself, while its answer is awaited.
  std::shared_ptr<GrpcCall> self_;
  alignas(8) std::array<char, kArenaBytes> block_;
  google::protobuf::Arena arena_;
};

}  // namespace strata

#endif  // STRATA_RPC_H2_UNARY_CALL_H_
