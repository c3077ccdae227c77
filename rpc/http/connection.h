#ifndef STRATA_RPC_HTTP_CONNECTION_H_
#define STRATA_RPC_HTTP_CONNECTION_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/http/exchange.h"
#include "rpc/http/handler.h"
#include "rpc/http/request_parser.h"
#include "rpc/http/server.h"
#include "rpc/net/byte_stream.h"
#include "rpc/net/io_thread.h"

namespace strata {

// What the connections of one server share. Outlives them.
struct HttpShared {
  IoThread* thread = nullptr;
  HttpServerOptions options = {};
  std::vector<HttpRoute> routes = {};
};

// One connection: a request after another, each an exchange with a handler.
// Bound to the IoThread.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // `closed` is called once, when it is of no more use.
  HttpConnection(const HttpShared* shared, std::unique_ptr<ByteStream> stream,
                 ConnectionInfo info,
                 std::function<void(HttpConnection*)> closed);

  void Start(std::string_view first_bytes);
  // Closes as soon as there is no exchange, or it is one that is answered in
  // pieces.
  void Drain();
  void Close();

 private:
  enum class State {
    kHead,       // of a request, or what comes before it
    kBody,       // is read
    kPaused,     // the handler does not want more of it now
    kAnswering,  // the request is whole
    kLingering,  // all is sent; until the client has seen it
    kClosed,
  };
  using Outcome = RequestParser::Outcome;

  // A function that does nothing once the connection is gone.
  std::function<void()> Bound(void (HttpConnection::*method)());

  void NextRequest();
  void AwaitRead();
  void OnReadable();
  void OnPeerEnd();
  // What was read before and not used, and `bytes`.
  void Consume(std::string_view bytes);
  // Returns what is left.
  std::string_view Parse(std::string_view bytes);
  // What has come out of the parser; false: it shall not go on.
  bool OnParsed(Outcome outcome);
  bool OnHead();
  bool OnBodyPiece(std::string_view bytes);
  void OnBodyEnd();

  // Answers in place of a handler, and closes.
  void Refuse(int status, std::string text);
  void OnExchange();
  void EndExchange();
  void Flush();
  void OnAllSent();
  void Linger();

  void OnReadDeadline();
  bool exchanging() const { return exchange_ != nullptr; }

  const HttpShared* const shared_;
  const std::unique_ptr<ByteStream> stream_;
  const ConnectionInfo info_;
  const std::function<void(HttpConnection*)> closed_;

  State state_ = State::kHead;
  std::optional<RequestParser> parser_;
  std::string unread_;  // bytes that came and are not parsed
  bool awaiting_read_ = false;
  bool draining_ = false;
  bool first_ = true;  // request
  size_t lingered_bytes_ = 0;

  // Of the exchange, if there is one.
  std::shared_ptr<HttpExchange> exchange_;
  std::shared_ptr<HttpHandler> handler_;
  uint64_t max_body_bytes_ = 0;
  uint64_t body_bytes_ = 0;
  bool too_long_ = false;
  bool begun_ = false;

  // What is to be sent, of this exchange or the one before.
  std::deque<std::string> out_;
  size_t out_offset_ = 0;  // of the first one: what has been sent
  bool awaiting_write_ = false;
  bool answered_ = false;     // all of the response is in out_
  bool close_after_ = false;  // it

  Deadline read_deadline_;
  Deadline write_deadline_;
};

}  // namespace strata

#endif  // STRATA_RPC_HTTP_CONNECTION_H_
