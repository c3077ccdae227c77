#ifndef STRATA_RPC_GRPC_WORKER_H_
#define STRATA_RPC_GRPC_WORKER_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "rpc/unary.h"

namespace strata {

// Methods known to gRPC by their path alone: requests and answers are bytes.
class RawService : public grpc::Service {
 public:
  explicit RawService(std::vector<UnaryMethod> methods);

  const std::vector<UnaryMethod>& methods() const { return methods_; }
  using grpc::Service::RequestAsyncUnary;

 private:
  const std::vector<UnaryMethod> methods_;
};

// What the workers of one server share. Outlives them.
struct GrpcShared {
  RawService service;
  grpc::AsyncGenericService generic;  // all that `service` has not
  // Messages beyond it are refused in the words of a Go server.
  uint64_t max_message_bytes = 0;
};

// A completion queue and the calls that came in on it. Run() is its thread;
// only replies may come from elsewhere.
//
// A wake-up of Run()'s thread is what a reply costs most. So that an answer has
// been sent is told on a queue that nobody waits on: it is looked at whenever a
// call comes in. And when many calls are being served, their replies come in
// batches: those are gathered and sent by Run()'s thread; when few are, the
// replying thread sends.
class GrpcWorker {
 public:
  // What comes back from the queue: an object of ours, told what happened.
  class Event {
   public:
    virtual ~Event() = default;
    virtual void Happened(bool ok) = 0;
  };

  GrpcWorker(GrpcShared* shared,
             std::unique_ptr<grpc::ServerCompletionQueue> queue);
  ~GrpcWorker();

  // Returns when the server has been shut down and every call was answered.
  void Run();

 private:
  class Call;
  class UnknownCall;
  class Wake;

  // Awaits one more call of a method, if there may be one more.
  void Await(size_t method);
  void EndCall(Call* call);
  // The server has been shut down: nothing more will come.
  void StopAwaiting();
  void CloseIfIdle();
  // Whether the calling thread should send the reply itself. Any thread.
  bool SendsDirectly() const;
  // Has Run()'s thread send the call's answer. Any thread.
  void SendLater(Call* call);
  void SendAnswered();
  // Ends the calls whose answers have been sent.
  void EndSent();
  // Waits for the next event on queue_; false: there will be none.
  bool Next(void** tag, bool* ok);

  GrpcShared* const shared_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  grpc::CompletionQueue sent_queue_;

  // Bound to Run()'s thread.
  std::vector<std::unique_ptr<Call>> calls_;  // all there are
  std::vector<Call*> free_;
  std::unique_ptr<UnknownCall> unknown_;
  std::vector<bool> starved_;  // methods of which no call is awaited
  uint64_t pending_ = 0;       // calls awaited or being served
  bool stopping_ = false;
  bool closed_ = false;
  std::vector<Call*> sending_;  // reused

  std::atomic<std::thread::id> thread_;
  std::atomic<int> serving_ = 0;  // calls that have not been answered
  std::atomic<int> sent_ = 0;     // answered and not ended

  std::mutex mutex_;
  std::vector<Call*> answered_;  // guarded by mutex_; not empty: wake_ is set
  std::unique_ptr<Wake> wake_;
};

}  // namespace strata

#endif  // STRATA_RPC_GRPC_WORKER_H_
