#ifndef STRATA_RPC_H2_CALL_H_
#define STRATA_RPC_H2_CALL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/h2/message_reader.h"
#include "rpc/h2/out_queue.h"

namespace strata {

class GrpcConnection;
struct GrpcMethod;

// What a call's headers say.
struct CallHead {
  std::string path = {};  // if there is no such method
  const GrpcMethod* method = nullptr;
  bool is_grpc = false;  // by its content-type
  bool asks_for_leader = false;
  std::string encoding = {};             // grpc-encoding
  std::optional<Duration> timeout = {};  // grpc-timeout
};

// A call, which is a stream of a connection. Its connection keeps the state of
// that stream here; what the call does about what comes in, its kind decides.
class GrpcCall : public std::enable_shared_from_this<GrpcCall> {
 public:
  enum class Event {
    kOpened,     // the headers are there
    kMessage,    // with its bytes
    kReadsDone,  // the client sends no more
    kReadMore,   // the handler wants more
    kWritable,   // there is room again
    kAnswered,   // a single answer is there, to be sent
    kExpired,    // its time is over
    kOver,       // nothing can be sent or will come; a stream's last
  };

  GrpcCall(std::shared_ptr<GrpcConnection> connection, int32_t stream,
           CallHead head, uint64_t max_message_bytes)
      : connection_(std::move(connection)),
        head_(std::move(head)),
        http2_(stream, max_message_bytes, head_.encoding) {}
  virtual ~GrpcCall() = default;

  // On the poller's thread, which holds no lock.
  virtual void Happened(Event event, std::string bytes) = 0;
  // Whether it has more than one message each way.
  virtual bool is_stream() const = 0;

  const CallHead& head() const { return head_; }
  GrpcConnection* connection() const { return connection_.get(); }

 private:
  friend class GrpcConnection;

  // Guarded by the connection's mutex.
  struct Http2 {
    Http2(int32_t stream, uint64_t max_message_bytes,
          const std::string& encoding)
        : id(stream), reader(max_message_bytes, encoding) {}

    const int32_t id;
    size_t index = 0;  // among the connection's calls
    MessageReader reader;
    OutQueue out;
    std::optional<Status> end = {};  // to be sent after that
    bool refused = false;            // what still comes in is dropped
    bool responding = false;         // the response was begun
    bool deferred = false;           // and has nothing to send
    bool reads_done = false;
    bool over = false;
    bool admitted = false;         // it waited, and is to be served now
    bool held = false;             // it waits or is served: its request is kept
    mutable bool starved = false;  // somebody was told that there is no room
    size_t untaken = 0;            // messages that the handler has not taken
    size_t unconsumed = 0;         // bytes for which no window was given back
    uint64_t charged = 0;          // to the budget
  };

  const std::shared_ptr<GrpcConnection> connection_;
  const CallHead head_;
  Http2 http2_;
};

// Something that has happened to a call.
struct CallEvent {
  std::shared_ptr<GrpcCall> call;
  GrpcCall::Event event;
  std::string bytes = {};
};

}  // namespace strata

#endif  // STRATA_RPC_H2_CALL_H_
