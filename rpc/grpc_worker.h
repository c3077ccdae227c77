#ifndef STRATA_RPC_GRPC_WORKER_H_
#define STRATA_RPC_GRPC_WORKER_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/combining_loop.h"
#include "base/idle_poll.h"
#include "base/loop.h"
#include "base/status.h"
#include "rpc/grpc_event.h"
#include "rpc/grpc_stream.h"
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
  RawStreamService stream_service;
  grpc::AsyncGenericService generic;  // all that these two have not
  CombiningLoop* loop = nullptr;      // see GrpcServer::Start
  // Messages beyond it are refused in the words of a Go server.
  uint64_t max_message_bytes = 0;
  std::function<bool()> has_leader = {};  // see GrpcServerOptions
  IdlePoll* idle_poll = nullptr;
};

// A completion queue, and the calls and streams that came in on it. One thread
// polls it, and all here is bound to that one; only replies may come from
// elsewhere.
//
// A call that goes through the log, and is alone, is carried through by the
// poller: it runs the node's loop, sync and all, which saves the wake-up of
// another thread (as much as the rest of the call takes). While it does so
// nobody polls, so a second thread stands by: if it does not come back soon,
// the second is the poller from then on, and the first one stands by. With more
// calls coming in, the node's loop has its own thread, and the batches gather.
//
// A wake-up of the poller is what a reply costs most. So that an answer has
// been sent is told on a queue that nobody waits on: it is looked at whenever a
// call comes in. And when many calls are being served, their replies come in
// batches: those are gathered and sent by the poller; when few are, the
// replying thread sends.
class GrpcWorker {
 public:
  GrpcWorker(GrpcShared* shared,
             std::unique_ptr<grpc::ServerCompletionQueue> queue);
  ~GrpcWorker();

  // Serves, on `poller`, until the server has been shut down and every call was
  // answered. Both loops have nothing else to do; without `standby` no call is
  // carried through. They must end before the worker does.
  void Run(Loop* poller, Loop* standby);
  // Blocks until it has done so. The loops may end after that, not before.
  void WaitUntilDone();
  // Ends all streams, those to come included. Any thread.
  void FinishStreams() { streams_.FinishAll(); }
  // Ends those that ask for a leader, as there is none. Any thread.
  void FinishStreamsForLeader() { streams_.FinishForLeader(); }

 private:
  class Call;
  class UnknownCall;
  class Wake;

  void AwaitAll();
  // Polls until the queue has ended, or another thread has become the poller.
  void Poll(uint64_t turn);
  void Serve(Call* call);
  // Whether a call that was taken should be carried through by this thread.
  bool ShouldLead(const Call& call);
  void Lead(Call* call);
  // On the standby: becomes the poller if the lead number `lead` still goes on.
  void CheckOnPoller(uint64_t lead);
  void CheckLater(uint64_t lead);  // REQUIRES: turn_mutex_ is held

  // Awaits one more call of a method, if there may be one more.
  void Await(size_t method);
  void EndCall(Call* call);
  // The server has been shut down: nothing more will come.
  void StopAwaiting();
  void CloseIfIdle();
  // Whether the calling thread should send the reply itself. Any thread.
  bool SendsDirectly() const;
  // Has the poller send the call's answer. Any thread.
  void SendLater(Call* call);
  void SendAnswered();
  // Ends the calls whose answers have been sent.
  void EndSent();
  // Waits for the next event on queue_; false: there will be none.
  bool Next(void** tag, bool* ok);
  // Whether an event is there already: Next() will return it.
  bool HasNext();

  GrpcShared* const shared_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  grpc::CompletionQueue sent_queue_;

  // Bound to the poller.
  GrpcStreams streams_;
  std::vector<std::unique_ptr<Call>> calls_;  // all there are
  std::vector<Call*> free_;
  std::unique_ptr<UnknownCall> unknown_;
  std::vector<bool> starved_;  // methods of which no call is awaited
  uint64_t pending_ = 0;       // calls awaited or being served
  bool stopping_ = false;
  bool closed_ = false;
  std::vector<Call*> sending_;  // reused
  bool has_next_ = false;       // these two are the next event
  void* next_tag_ = nullptr;
  bool next_ok_ = false;
  int crowd_ = 0;  // calls that will not be carried through

  std::mutex turn_mutex_;
  // Guarded by turn_mutex_.
  Loop* poller_ = nullptr;
  Loop* standby_ = nullptr;
  uint64_t leads_ = 0;     // begun
  bool leading_ = false;   // the poller runs the node's loop
  bool checking_ = false;  // CheckOnPoller is to be called
  bool done_ = false;
  std::condition_variable done_changed_;

  std::atomic<uint64_t> turn_ = 0;       // how often the poller has changed
  std::atomic<std::thread::id> thread_;  // the poller
  std::atomic<int> serving_ = 0;         // calls that have not been answered
  std::atomic<int> sent_ = 0;            // answered and not ended

  std::mutex mutex_;
  std::vector<Call*> answered_;  // guarded by mutex_; not empty: wake_ is set
  std::unique_ptr<Wake> wake_;
};

}  // namespace strata

#endif  // STRATA_RPC_GRPC_WORKER_H_
