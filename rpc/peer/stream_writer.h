#ifndef STRATA_RPC_PEER_STREAM_WRITER_H_
#define STRATA_RPC_PEER_STREAM_WRITER_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "raft/message.h"
#include "rpc/http/handler.h"
#include "rpc/peer/codec.h"

namespace strata::peer {

// Our end of a stream that another member has dialled, to hear from us: writes
// messages into the answer of its request. It dials again when that ends, and
// the new connection takes the place of the old. Thread-safe.
class StreamWriter : public std::enable_shared_from_this<StreamWriter> {
 public:
  struct Options {
    // Makes the encoder of a new connection.
    std::function<std::unique_ptr<Encoder>()> make_encoder = {};
    size_t max_queued_bytes = 0;  // one more message is dropped
    // The connection is gone and messages with it. Not under a lock of ours.
    std::function<void()> lost = {};
    std::function<void(size_t bytes)> sent = {};
  };
  explicit StreamWriter(Options options) : options_(std::move(options)) {}

  // Writes to `sink` from now on, after the head. What it returns is to be told
  // of that exchange.
  std::shared_ptr<HttpHandler> Attach(const std::shared_ptr<HttpSink>& sink,
                                      std::vector<HttpRequest::Header> headers);
  bool working() const { return working_; }

  enum class Outcome { kTaken, kNoStream, kFull };
  // Takes `message` for the next Flush.
  Outcome Send(const raft::Message& message);
  void Flush();
  // Tells the reader that we are there, if it has heard nothing for a while:
  // call it at least every 5/3 s.
  void KeepAlive();
  // Drops the connection; another may come.
  void Close();

 private:
  class Exchange;

  void Writable(const Exchange* exchange);
  void Over(const Exchange* exchange);
  // REQUIRES: mutex_ is held
  void WriteQueued();

  const Options options_;
  std::atomic<bool> working_ = false;

  std::mutex mutex_;
  // guarded by mutex_:
  const Exchange* exchange_ = nullptr;  // whose sink this is
  std::shared_ptr<HttpSink> sink_;      // null: no connection
  std::unique_ptr<Encoder> encoder_;
  std::deque<std::string> queue_;  // frames, many to a block
  size_t queued_bytes_ = 0;
  bool idle_ = false;  // since the last KeepAlive
};

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_STREAM_WRITER_H_
