#ifndef STRATA_RPC_H2_CONNECTION_H_
#define STRATA_RPC_H2_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/h2/call.h"
#include "rpc/h2/ping_guard.h"
#include "rpc/h2/shared.h"

namespace strata {

class GrpcWorker;

// One client: a socket, its HTTP/2 session, and the calls on it. HTTP/2 is
// nghttp2's work; how gRPC uses it ("gRPC over HTTP2") is ours.
//
// What comes in is read by the worker's poller alone, and becomes events of
// calls, for which no lock is held. What goes out may be sent by any thread, on
// the socket at once, or is left to the poller: GrpcWorker::SendsNow decides.
class GrpcConnection : public std::enable_shared_from_this<GrpcConnection> {
 public:
  // Owns `fd` from now on.
  GrpcConnection(GrpcWorker* worker, GrpcShared* shared, int fd, Time now);
  ~GrpcConnection();

  GrpcConnection(const GrpcConnection&) = delete;
  GrpcConnection& operator=(const GrpcConnection&) = delete;

  // --- The poller only ---

  // What the poller has noted.
  struct PollState {
    bool queued = false;  // it is to be read
    bool ending = false;  // the client writes no more
    bool jammed = false;  // it is to be read when it is not Jammed() any more
  };
  PollState poll = {};

  int fd() const { return fd_; }
  void Start();
  enum class ReadOutcome { kAll, kMore, kEnd };
  // Reads what has come, up to `size` bytes by way of `buffer`; what happened
  // is added to `events`. kMore: there may be more to read.
  ReadOutcome Read(char* buffer, size_t size, Time now,
                   std::vector<CallEvent>* events);
  // Whether so much waits for a client that reads nothing that nothing more is
  // to be read from it: what it would send could only be refused, or asks for
  // more to be sent.
  bool Jammed() const;
  // Whether a single call is to be served now: its client reads its answers. If
  // not, the event will come again, unless the call is over.
  bool MayServe(GrpcCall* call, std::string* request);
  // The socket takes bytes again.
  void CanWrite();
  // As it asked to: sends what there is, as far as the socket takes it.
  void Flush();
  // Takes no more calls, and says so to the client.
  void GoAway();
  // Whether no call is left, and all was sent.
  bool Drained() const;
  // Pings an idle client, and gives up one that does not answer. Whether the
  // connection is still good, and when to look again.
  bool Tick(Time now, Time* again);
  // All calls are over; adds those events.
  void Close(std::vector<CallEvent>* events);

  // --- Any thread ---

  // Nothing is sent once the call is over or ended.
  void Send(GrpcCall* call, StreamMessage message);
  void End(GrpcCall* call, const Status& status);
  // The one message of a call, and its end; or an error alone.
  void Answer(GrpcCall* call, StatusOr<std::string> answer);
  // Whether there is room for another message. If not, kWritable will follow.
  bool HasRoom(const GrpcCall* call);
  // The handler has taken one of the call's messages, and will take more.
  void TookMessage(GrpcCall* call, size_t size);

 private:
  class Hold;
  struct Callbacks;

  // All of these: REQUIRES: mutex_

  // What comes in.
  void Received(const nghttp2_frame* frame);
  void ReceivedHead(int32_t stream);
  void ReceivedData(int32_t stream, std::string_view bytes);
  void ReceivedEnd(int32_t stream);
  void ReceivedPing();
  GrpcCall* NewCall(int32_t stream);
  GrpcCall* Find(int32_t stream) const;
  // Ends a call by an error, and drops what still comes in on it.
  void Refuse(GrpcCall* call, const Status& status);
  void GiveWindow(GrpcCall* call);
  void Add(GrpcCall* call, GrpcCall::Event event, std::string bytes = {});
  // Whether one more single call may be served.
  bool HasRoomForAnswer() const;
  void ReleaseWaiting();
  void Closed(int32_t stream);
  void MarkOver(GrpcCall* call);
  // The request of a call that was held is gone.
  void LetGo(GrpcCall* call);

  bool Charge(GrpcCall* call, uint64_t bytes);
  void Uncharge(GrpcCall* call, uint64_t bytes);

  // What goes out. Of a call that is Open:
  bool Open(const GrpcCall* call) const;
  void SubmitAnswer(GrpcCall* call, StatusOr<std::string> answer);
  void SubmitMessage(GrpcCall* call, StreamMessage message);
  void SubmitEnd(GrpcCall* call, const Status& status);
  void SubmitData(GrpcCall* call);
  // How much of a call's messages is to be sent next: nghttp2's data source.
  ssize_t Offer(GrpcCall* call, size_t room, uint32_t* flags);
  void SendData(GrpcCall* call, std::string_view frame_head, size_t size);
  void Sent(const nghttp2_frame* frame);
  // Sends what there is, or has the poller do it.
  void SendSoon(bool now);
  // A turn's worth of it; the poller goes on.
  void FlushHeld();
  void AskFlush();
  // How many bytes the socket took.
  size_t WriteOut();

  GrpcWorker* const worker_;
  GrpcShared* const shared_;
  const Time begun_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  int fd_;
  nghttp2_session* session_;  // none: closed
  std::vector<std::shared_ptr<GrpcCall>> calls_;
  CallHead head_;             // whose headers are coming in
  std::string out_;           // for the socket
  bool blocked_ = false;      // which takes no more for now
  bool failed_ = false;       // or never again
  bool flush_asked_ = false;  // of the poller
  bool settled_ = false;      // the client's settings have come
  bool over_ = false;         // the client is to be sent away
  PingGuard ping_guard_;
  Time now_;          // of the last read
  Time pinged_ = {};  // by us, if `awaits_pong_`
  bool awaits_pong_ = false;
  size_t unsent_ = 0;              // bytes of messages, of all calls
  size_t serving_ = 0;             // single calls
  size_t usual_answer_ = 0;        // bytes of one; 0: none was given
  std::deque<CallEvent> waiting_;  // single calls that are not served yet
  std::vector<CallEvent> events_;
  std::vector<std::string> messages_;  // reused
};

}  // namespace strata

#endif  // STRATA_RPC_H2_CONNECTION_H_
