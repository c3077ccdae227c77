#ifndef STRATA_RPC_H2_WORKER_H_
#define STRATA_RPC_H2_WORKER_H_

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/h2/call.h"
#include "rpc/h2/connection.h"
#include "rpc/h2/shared.h"
#include "rpc/h2/unary_call.h"

namespace strata {

// The connections of some clients, and their calls. One thread polls them, and
// all here is bound to that one, but for what says otherwise.
//
// A call that goes through the log, and is alone, is carried through by the
// poller: it runs the node's loops, sync and all, which saves the wake-up of
// another thread (as much as the rest of the call takes). While it does so
// nobody polls, so a second thread stands by: if it does not come back soon,
// the second is the poller from then on, and the first one stands by. With more
// calls coming in, the node's loop has its own thread, and the batches gather.
//
// A wake-up of the poller is what a reply costs most. So when few calls are
// being served, the replying thread sends; when many are, their replies come in
// batches: those are gathered and sent by the poller.
class GrpcWorker {
 public:
  explicit GrpcWorker(GrpcShared* shared);
  ~GrpcWorker();

  GrpcWorker(const GrpcWorker&) = delete;
  GrpcWorker& operator=(const GrpcWorker&) = delete;

  Status Open();
  // Serves, on `poller`, until Shutdown is through. Both loops have nothing
  // else to do; without `standby` no call is carried through. They must end
  // before the worker does.
  void Run(Loop* poller, Loop* standby);

  // --- Any thread ---

  // A connection to serve. Once it has ended: closed by the destructor.
  void Adopt(int fd);
  // Ends all streams, those to come included.
  void FinishStreams();
  // Ends those that ask for a leader, as there is none.
  void FinishStreamsForLeader();
  // Takes no more calls, and ends as soon as those that there are have; after
  // `grace` they are cut off.
  void Shutdown(Duration grace);
  // Blocks until it has ended. The loops may end after that, not before.
  void WaitUntilDone();

  GrpcShared* shared() const { return shared_; }

  // What follows is for connections and calls.

  // Has the poller tell the calls.
  void Post(std::vector<CallEvent> events);
  // Has the poller flush the connection.
  void AskFlush(std::shared_ptr<GrpcConnection> connection);
  // Whether the caller is the poller, which will flush when it has done what it
  // is at.
  bool InRound() const;
  // Whether the calling thread should itself send a message of a stream; or the
  // answer of a call.
  bool SendsNow();
  bool AnswersNow() const;
  // The answer of a call that was served is there; it has been sent. In between
  // its client may hear of it, and send the next one.
  void CountAnswered() { unanswered_.fetch_sub(1, std::memory_order_relaxed); }
  void CountSent() { serving_.fetch_sub(1, std::memory_order_relaxed); }

  // --- The poller ---

  void Serve(GrpcUnaryCall* call);
  void Opened(const std::shared_ptr<GrpcCall>& stream);
  void Closed(const GrpcCall* stream);

 private:
  // What other threads leave for the poller.
  struct Mail {
    std::vector<int> sockets = {};  // to be served
    std::vector<CallEvent> events = {};
    std::vector<std::shared_ptr<GrpcConnection>> flushes = {};
    std::vector<std::function<void()>> tasks = {};

    bool empty() const {
      return sockets.empty() && events.empty() && flushes.empty() &&
             tasks.empty();
    }
  };

  // Polls until all has ended, or another thread has become the poller.
  void Poll(uint64_t turn);
  // These return false if another thread has become the poller: from then on
  // all belongs to that one.
  bool Round(uint64_t turn);
  bool HandleEvents(uint64_t turn);
  bool ReadNext(uint64_t turn);

  // Waits for sockets and mail, and notes which connections are to be read.
  void Wait(int timeout_ms);
  int WaitTime() const;
  // Leaves `fill` to be found by the poller, which is woken if it waits.
  template <typename Fill>
  void Leave(const Fill& fill);
  void TakeMail();
  void Flush();
  void Begin(int fd);
  void End(GrpcConnection* connection);
  void Queue(GrpcConnection* connection);
  // Deadlines of calls, idle connections, and the end.
  void Tick();
  bool HasEnded();

  // Whether a call that was taken should be carried through by this thread.
  bool ShouldLead(const GrpcUnaryCall& call);
  void Lead(GrpcUnaryCall* call);
  // On the standby: becomes the poller if the lead number `lead` still goes on.
  void CheckOnPoller(uint64_t lead);
  void CheckLater(uint64_t lead);  // REQUIRES: turn_mutex_ is held

  GrpcShared* const shared_;
  Loop* clock_ = nullptr;
  int epoll_ = -1;
  int wake_ = -1;  // an eventfd
  const std::unique_ptr<char[]> buffer_;

  std::unordered_map<GrpcConnection*, std::shared_ptr<GrpcConnection>>
      connections_;
  std::deque<std::shared_ptr<GrpcConnection>> readable_;
  std::vector<std::shared_ptr<GrpcConnection>> dirty_;  // to be flushed
  std::deque<CallEvent> events_;                        // to be told
  std::vector<CallEvent> read_events_;                  // reused
  struct Stream {
    std::shared_ptr<GrpcCall> call;
    Time deadline;
  };
  std::map<const GrpcCall*, Stream> streams_;
  std::set<std::pair<Time, const GrpcCall*>> deadlines_;  // of streams_
  Time next_tick_ = Time::max();                          // of idle connections
  int crowd_ = 0;  // calls that will not be carried through
  bool finish_streams_ = false;
  bool stopping_ = false;
  Time cut_off_ = Time::max();

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
  std::atomic<bool> in_lead_ = false;    // the poller carries a call through
  std::atomic<int> unanswered_ = 0;      // single calls without an answer
  std::atomic<int> serving_ = 0;  // and those whose answer is not yet sent
  std::atomic<Time> sent_now_ = Time();  // when a thread last sent by itself

  std::mutex mail_mutex_;
  Mail mail_;                        // guarded by mail_mutex_
  std::atomic<bool> awake_ = false;  // the poller will look at its mail
};

}  // namespace strata

#endif  // STRATA_RPC_H2_WORKER_H_
