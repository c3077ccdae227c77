#include "rpc/http/connection.h"

#include <utility>

namespace strata {
namespace {

// How long, and how much, is read after the last response, so that the client
// gets it before it learns that nobody listens any more.
constexpr Duration kLinger = std::chrono::seconds(1);
constexpr size_t kLingerBytes = 256 << 10;
// What a client may send ahead of the response to its last request.
constexpr size_t kUnreadBytes = IoThread::kScratchBytes;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

HttpConnection::HttpConnection(const HttpShared* shared,
                               std::unique_ptr<ByteStream> stream,
                               ConnectionInfo info,
                               std::function<void(HttpConnection*)> closed)
    : shared_(shared),
      stream_(std::move(stream)),
      info_(std::move(info)),
      closed_(std::move(closed)),
      read_deadline_(shared->thread, [this] { OnReadDeadline(); }),
      write_deadline_(shared->thread, [this] { Close(); }) {}

std::function<void()> HttpConnection::Bound(void (HttpConnection::*method)()) {
  return [weak = weak_from_this(), method] {
    if (const auto self = weak.lock()) (self.get()->*method)();
  };
}

void HttpConnection::Start(std::string_view first_bytes) {
  NextRequest();
  Consume(first_bytes);
}

void HttpConnection::NextRequest() {
  state_ = State::kHead;
  parser_.emplace(
      shared_->options.max_head_bytes,
      [this](std::string_view bytes) { return OnBodyPiece(bytes); });
  const bool begun = first_ || !unread_.empty();
  read_deadline_.Set(begun ? shared_->options.head_timeout
                           : shared_->options.idle_timeout);
  first_ = false;
}

void HttpConnection::Drain() {
  const auto self = shared_from_this();
  draining_ = true;
  if (!exchanging()) {
    if (out_.empty() && !parser_->begun()) Close();
    close_after_ = true;
    return;
  }
  if (begun_ && !answered_) return Close();
  exchange_->CloseAfter();
}

void HttpConnection::Close() {
  if (state_ == State::kClosed) return;
  const auto self = shared_from_this();
  state_ = State::kClosed;
  if (exchanging()) exchange_->End();
  stream_->Close();
  read_deadline_.Clear();
  write_deadline_.Clear();
  EndExchange();
  closed_(this);
}

// --- reading ---

void HttpConnection::AwaitRead() {
  if (awaiting_read_ || state_ == State::kClosed) return;
  if (state_ == State::kPaused) return;
  // What is known to have come must be used first.
  if (state_ == State::kAnswering && !unread_.empty()) return;
  awaiting_read_ = true;
  stream_->AwaitRead(Bound(&HttpConnection::OnReadable));
}

void HttpConnection::OnReadable() {
  awaiting_read_ = false;
  if (state_ == State::kPaused) return;  // ReadMore will look
  char* const scratch = shared_->thread->scratch();
  const ByteStream::Result got =
      stream_->Read(scratch, IoThread::kScratchBytes);
  switch (got.outcome) {
    case ByteStream::Outcome::kWait:
      return AwaitRead();
    case ByteStream::Outcome::kFailed:
      return Close();
    case ByteStream::Outcome::kEnd:
      return OnPeerEnd();
    case ByteStream::Outcome::kDone:
      return Consume({scratch, got.bytes});
  }
}

void HttpConnection::OnPeerEnd() {
  // A client may have ended its side behind its request: it still gets what has
  // been answered. What has not, it does not wait for.
  if (answered_ && !out_.empty()) {
    close_after_ = true;
    return;
  }
  Close();
}

void HttpConnection::Consume(std::string_view bytes) {
  if (state_ == State::kLingering) {
    lingered_bytes_ += bytes.size();
    return lingered_bytes_ > kLingerBytes ? Close() : AwaitRead();
  }
  std::string joined;
  if (!unread_.empty()) {
    joined = std::exchange(unread_, {});
    joined += bytes;
    bytes = joined;
  }
  const std::string_view left = Parse(bytes);
  if (state_ == State::kClosed || state_ == State::kLingering) return;
  if (state_ == State::kAnswering && left.size() > kUnreadBytes) {
    return Close();
  }
  if (!left.empty()) unread_ = std::string(left);
  AwaitRead();
}

std::string_view HttpConnection::Parse(std::string_view bytes) {
  while (state_ == State::kHead || state_ == State::kBody) {
    if (state_ == State::kHead && !bytes.empty() && !parser_->begun()) {
      read_deadline_.Set(shared_->options.head_timeout);
    }
    Outcome outcome = Outcome::kNeedMore;
    bytes.remove_prefix(parser_->Parse(bytes, &outcome));
    if (outcome == Outcome::kNeedMore || !OnParsed(outcome)) break;
  }
  return bytes;
}

bool HttpConnection::OnParsed(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNeedMore:
      return false;
    case Outcome::kHead:
      return OnHead();
    case Outcome::kPaused:
      if (too_long_) {
        Refuse(413, "request body too large");
      } else {
        state_ = State::kPaused;
        read_deadline_.Clear();
      }
      return false;
    case Outcome::kEnd:
      OnBodyEnd();
      return false;
    case Outcome::kHeadTooLong:
      Refuse(431, "request header fields too large");
      return false;
    case Outcome::kMalformed:
      Refuse(400, "bad request");
      return false;
  }
  return false;
}

bool HttpConnection::OnHead() {
  HttpRequest& request = parser_->head();
  if (!SplitTarget(parser_->target(), &request)) {
    Refuse(400, "bad request");
    return false;
  }
  const HttpRoute* const route = FindRoute(shared_->routes, request.path);
  if (route == nullptr) {
    Refuse(404, "404 page not found");
    return false;
  }
  if (parser_->announced_bytes() > route->max_body_bytes) {
    Refuse(413, "request body too large");
    return false;
  }
  request.peer = info_.peer;
  request.tls = info_.tls;
  request.certificate_name = info_.certificate_name;
  const ResponseForm form = {.http_1_0 = parser_->http_1_0(),
                             .head_only = request.method == "HEAD",
                             .close = draining_ || !parser_->keeps_alive()};
  state_ = State::kBody;
  read_deadline_.Set(shared_->options.body_timeout);
  max_body_bytes_ = route->max_body_bytes;
  body_bytes_ = 0;
  too_long_ = false;
  begun_ = false;
  answered_ = false;
  exchange_ = std::make_shared<HttpExchange>(
      shared_->thread, stream_.get(), form, shared_->options.write_buffer_bytes,
      Bound(&HttpConnection::OnExchange));
  if (parser_->expects_continue() && !form.http_1_0) {
    out_.emplace_back(kContinue);
    exchange_->Precede(kContinue.size());
  }
  handler_ = route->open(std::move(request), exchange_);
  Flush();
  return state_ == State::kBody;
}

bool HttpConnection::OnBodyPiece(std::string_view bytes) {
  body_bytes_ += bytes.size();
  too_long_ = body_bytes_ > max_body_bytes_;
  if (too_long_) return false;
  if (!begun_) read_deadline_.Set(shared_->options.body_timeout);
  // The exchange can be over before its body is: the rest is of no interest.
  return handler_ == nullptr || handler_->OnBody(bytes);
}

void HttpConnection::OnBodyEnd() {
  state_ = State::kAnswering;
  read_deadline_.Clear();
  if (!exchanging()) return;
  exchange_->BodyEnded();
  handler_->OnBodyEnd();
}

// --- answering ---

void HttpConnection::Refuse(int status, std::string text) {
  const HttpRequest& request = parser_->head();
  const ResponseForm form = {.http_1_0 = parser_->http_1_0(),
                             .head_only = request.method == "HEAD",
                             .close = true};
  if (exchanging()) {
    if (!exchange_->EndUnanswered()) return Close();
    EndExchange();
  }
  HttpResponse response = {
      .status = status,
      .headers = {{"Content-Type", "text/plain; charset=utf-8"},
                  {"X-Content-Type-Options", "nosniff"}},
      .body = std::move(text) + "\n"};
  out_.push_back(FormatResponse(response, form, shared_->thread->WallNow()));
  state_ = State::kAnswering;
  read_deadline_.Clear();
  answered_ = true;
  close_after_ = true;
  Flush();
}

void HttpConnection::OnExchange() {
  if (!exchanging() || state_ == State::kClosed) return;
  HttpExchange::Output output = exchange_->Take();
  if (output.aborted) return Close();
  if (output.begun && !begun_) {
    begun_ = true;
    // From now on the body comes as the handler's protocol has it.
    if (state_ != State::kHead) read_deadline_.Clear();
  }
  for (std::string& bytes : output.bytes) out_.push_back(std::move(bytes));
  close_after_ = close_after_ || (output.begun && output.close);
  answered_ = output.ended;
  Flush();
  if (output.read_more && state_ == State::kPaused) {
    state_ = State::kBody;
    if (!begun_) read_deadline_.Set(shared_->options.body_timeout);
    Consume({});
  }
}

void HttpConnection::EndExchange() {
  if (!exchanging()) return;
  exchange_->End();
  exchange_ = nullptr;
  const auto handler = std::exchange(handler_, nullptr);
  handler->OnDone();
}

void HttpConnection::Flush() {
  while (!out_.empty() && !awaiting_write_) {
    const std::string_view rest =
        std::string_view(out_.front()).substr(out_offset_);
    const ByteStream::Result sent = stream_->Write(rest);
    if (sent.outcome == ByteStream::Outcome::kWait) {
      awaiting_write_ = true;
      write_deadline_.Set(shared_->options.write_timeout);
      return stream_->AwaitWrite([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (self == nullptr) return;
        self->awaiting_write_ = false;
        self->write_deadline_.Clear();
        self->Flush();
      });
    }
    if (sent.outcome != ByteStream::Outcome::kDone) return Close();
    out_offset_ += sent.bytes;
    if (out_offset_ == out_.front().size()) {
      out_.pop_front();
      out_offset_ = 0;
    }
    if (exchanging() && exchange_->Sent(sent.bytes)) handler_->OnWritable();
    if (state_ == State::kClosed) return;
  }
  if (out_.empty() && answered_) OnAllSent();
}

void HttpConnection::OnAllSent() {
  answered_ = false;
  EndExchange();
  if (close_after_ || state_ != State::kAnswering) return Linger();
  NextRequest();
  if (!unread_.empty()) return Consume({});
  AwaitRead();
}

void HttpConnection::Linger() {
  if (state_ == State::kClosed) return;
  state_ = State::kLingering;
  unread_.clear();
  stream_->EndWrite();
  read_deadline_.Set(kLinger);
  AwaitRead();
}

void HttpConnection::OnReadDeadline() {
  const auto self = shared_from_this();
  const bool waits_for_client =
      (state_ == State::kHead && parser_->begun()) || state_ == State::kBody;
  if (waits_for_client) return Refuse(408, "request timeout");
  Close();
}

}  // namespace strata
