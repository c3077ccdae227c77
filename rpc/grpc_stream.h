#ifndef STRATA_RPC_GRPC_STREAM_H_
#define STRATA_RPC_GRPC_STREAM_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "base/status.h"
#include "rpc/grpc_event.h"
#include "rpc/stream.h"

namespace strata {

// Streaming methods known to gRPC by their path alone: messages are bytes.
class RawStreamService : public grpc::Service {
 public:
  explicit RawStreamService(std::vector<StreamMethod> methods);

  const std::vector<StreamMethod>& methods() const { return methods_; }
  using grpc::Service::RequestAsyncBidiStreaming;

 private:
  const std::vector<StreamMethod> methods_;
};

// Whether the client wants to be refused if there is no leader.
bool AsksForLeader(const grpc::ServerContext& context);

// The streams on a completion queue. Bound to the thread that polls it, which
// calls the handlers: not a thread of their own, as it would be woken, to wake
// the right one, by every second unary call.
class GrpcStreams {
 public:
  // `service` and `queue` outlive the streams. Larger messages end their
  // stream, in a Go server's words.
  // `has_leader` as in GrpcServerOptions.
  GrpcStreams(RawStreamService* service, grpc::ServerCompletionQueue* queue,
              uint64_t max_message_bytes, std::function<bool()> has_leader);
  ~GrpcStreams();

  // Awaits a call of each method, until the server is shut down.
  void AwaitAll();
  // Whether nothing is awaited or being served any more.
  bool Idle() const;

  // Ends all streams, those to come included: their clients shall go on with
  // another member, or with this one when it is back. Any thread.
  void FinishAll();
  // Ends those that ask for a leader, as there is none. Any thread.
  void FinishForLeader();

 private:
  class Stream;
  class Tag;

  void Await(size_t method);
  void Accepted(const std::shared_ptr<Stream>& stream);
  void Ended(const std::shared_ptr<Stream>& stream);

  RawStreamService* const service_;
  grpc::ServerCompletionQueue* const queue_;
  const uint64_t max_message_bytes_;
  const std::function<bool()> has_leader_;

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::set<std::shared_ptr<Stream>> awaited_;
  std::set<std::shared_ptr<Stream>> streams_;  // being served
  bool finish_all_ = false;
};

}  // namespace strata

#endif  // STRATA_RPC_GRPC_STREAM_H_
