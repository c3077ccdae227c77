#ifndef STRATA_RPC_STREAM_H_
#define STRATA_RPC_STREAM_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

// A streaming method of the API without a transport: messages of bytes come in
// and go out, until the call ends. What rpc/unary.h is for single calls. For
// all three kinds: a client that sends one message and a server that sends one
// are streams like any other.
//
//   class Echo : public StreamHandler {
//    public:
//     explicit Echo(std::shared_ptr<StreamSink> sink) : sink_(sink) {}
//     bool OnMessage(std::string_view bytes) override {
//       sink_->Write(StreamMessage(std::string(bytes)));
//       return sink_->Writable();  // else: no more to read for now
//     }
//     void OnWritable() override { sink_->ReadMore(); }
//     void OnReadsDone() override { sink_->Finish(Status::Ok()); }
//     ...
//   };
//   StreamMethod{"/echo.Echo/Echo", [](std::shared_ptr<StreamSink> sink) {
//     return std::make_shared<Echo>(std::move(sink));
//   }};
namespace strata {

// A message to be sent, in pieces: bytes of its own, and bytes that it shares
// with others, so that a large value is not copied for each of its readers.
// A value.
class StreamMessage {
 public:
  struct Piece {
    std::string own;
    std::string_view shared;          // if `pin` is set
    std::shared_ptr<const void> pin;  // keeps `shared` where it is
  };

  StreamMessage() = default;
  explicit StreamMessage(std::string bytes) { Append(std::move(bytes)); }

  void Append(std::string bytes) {
    size_ += bytes.size();
    pieces_.push_back({std::move(bytes), {}, nullptr});
  }
  void AppendShared(std::string_view bytes, std::shared_ptr<const void> pin) {
    size_ += bytes.size();
    pieces_.push_back({{}, bytes, std::move(pin)});
  }

  size_t size() const { return size_; }
  std::vector<Piece>& pieces() { return pieces_; }
  const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  std::vector<Piece> pieces_;
  size_t size_ = 0;
};

// The way out of a call. Any thread. Once the call is over (OnDone) all of it
// does nothing. It may run the transport, so hold no lock that a handler's
// callbacks take unless it is that handler's own.
class StreamSink {
 public:
  virtual ~StreamSink() = default;

  // Whether there is room for one more message. A client that does not read
  // leaves none; what a handler keeps for it meanwhile is the handler's to
  // bound. OnWritable is called after this has been false.
  virtual bool Writable() const = 0;
  // Sends `message` after those before it. Also takes one for which there is no
  // room, for a handler that answers each message with one: it should then
  // return false from OnMessage.
  virtual void Write(StreamMessage message) = 0;
  // After OnMessage has returned false: has the next message read.
  virtual void ReadMore() = 0;
  // Ends the call, once all that was written has been sent. Only the first one
  // counts, and nothing is written after it.
  virtual void Finish(const Status& status) = 0;
};

// One call of a streaming method. Its functions are called one at a time; none
// after OnDone, with which the transport lets go of it.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  // `bytes` is borrowed during the call. True: go on to read; false: not until
  // ReadMore. What is not read waits with the client.
  virtual bool OnMessage(std::string_view bytes) = 0;
  // There may be room to write again.
  virtual void OnWritable() = 0;
  // The client will send no more; it may still be reading.
  virtual void OnReadsDone() = 0;
  // The call is over: finished, cancelled, or the connection is gone.
  virtual void OnDone() = 0;
};

struct StreamMethod {
  std::string path;  // "/etcdserverpb.Watch/Watch"
  // Begins a call. Any thread.
  std::function<std::shared_ptr<StreamHandler>(std::shared_ptr<StreamSink>)>
      open;
};

}  // namespace strata

#endif  // STRATA_RPC_STREAM_H_
