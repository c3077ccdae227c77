#ifndef STRATA_RPC_HTTP_EXCHANGE_H_
#define STRATA_RPC_HTTP_EXCHANGE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "rpc/http/format.h"
#include "rpc/http/handler.h"
#include "rpc/net/byte_stream.h"
#include "rpc/net/io_thread.h"

namespace strata {

// A handler's way out: makes bytes of what it says, on the handler's thread,
// and has the connection take them on its own. A small piece of a begun
// response is written at once, if nothing waits before it and the stream lets
// any thread write: another would have to wake for it. Thread-safe.
class HttpExchange : public HttpSink {
 public:
  // What the connection has to do.
  struct Output {
    std::deque<std::string> bytes = {};
    bool begun = false;
    bool ended = false;
    bool aborted = false;
    bool read_more = false;
    bool close = false;  // the connection ends with the response
  };

  // `wake` has the connection call Take() on `thread`. `stream` is not used
  // after End.
  HttpExchange(IoThread* thread, ByteStream* stream, const ResponseForm& form,
               uint64_t write_buffer_bytes, std::function<void()> wake);

  // HttpSink
  void Reply(HttpResponse response) override;
  void Begin(int status, std::vector<HttpRequest::Header> headers) override;
  bool Writable() const override;
  void Write(std::string bytes) override;
  void Finish() override;
  void Abort() override;
  void ReadMore() override;

  // For the connection.

  Output Take();
  // So many bytes of the connection's own are sent before what the handler
  // says; Sent() will tell of them, too.
  void Precede(uint64_t bytes) { queued_bytes_ += bytes; }
  // So many bytes are on their way, of those that were taken or came before
  // them; true: Writable() was false and is not any more.
  bool Sent(uint64_t bytes);
  // The body is whole: the connection may go on after the response.
  void BodyEnded();
  // From now on the response, if its head is not made yet, ends the connection.
  void CloseAfter();
  // Ends it, unless a response has begun already (false).
  bool EndUnanswered();
  // All of HttpSink does nothing from now on. Before the stream is closed.
  void End();

 private:
  using Lock = std::unique_lock<std::mutex>;

  // REQUIRES: the lock is held.
  bool over() const { return thread_ == nullptr; }
  ResponseForm Form() const;
  // Returns what could not be written now.
  std::string WriteNow(std::string bytes);
  void Queue(std::string bytes);
  void Wake();

  // Null: only the connection writes to it.
  ByteStream* const stream_;
  const uint64_t write_buffer_bytes_;
  const std::function<void()> wake_;
  mutable std::atomic<bool> was_full_ = false;
  std::atomic<uint64_t> queued_bytes_ = 0;  // and not sent

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  IoThread* thread_;  // null once it is over
  ResponseForm form_;
  bool body_ended_ = false;
  bool chunked_ = false;
  bool waking_ = false;
  Output output_;
};

}  // namespace strata

#endif  // STRATA_RPC_HTTP_EXCHANGE_H_
