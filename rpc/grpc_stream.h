#ifndef STRATA_RPC_GRPC_STREAM_H_
#define STRATA_RPC_GRPC_STREAM_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "base/status.h"
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

// A completion queue for streams, and the streams on it. Run() is its thread:
// it calls the handlers. It is not that of the unary calls, which do not wait
// for each other's events.
class GrpcStreamWorker {
 public:
  // `service` outlives the worker. Larger messages end their stream, in a Go
  // server's words.
  GrpcStreamWorker(RawStreamService* service,
                   std::unique_ptr<grpc::ServerCompletionQueue> queue,
                   uint64_t max_message_bytes);
  ~GrpcStreamWorker();

  // Returns when the server has been shut down and every stream has ended.
  void Run();

  // Ends all streams, those to come included: their clients shall go on with
  // another member, or with this one when it is back. Any thread.
  void FinishAll();

 private:
  class Stream;
  class Tag;

  void Await(size_t method);
  void Accepted(const std::shared_ptr<Stream>& stream);
  void Ended(const std::shared_ptr<Stream>& stream);
  void StopAwaiting();
  void CloseIfIdle();

  RawStreamService* const service_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const uint64_t max_message_bytes_;

  // Bound to Run()'s thread.
  bool stopping_ = false;
  bool closed_ = false;

  std::mutex mutex_;
  // Guarded by mutex_:
  std::set<std::shared_ptr<Stream>> awaited_;
  std::set<std::shared_ptr<Stream>> streams_;  // being served
  bool finish_all_ = false;
};

}  // namespace strata

#endif  // STRATA_RPC_GRPC_STREAM_H_
