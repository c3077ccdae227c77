#include "rpc/peer/http_client.h"

#include <array>
#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <condition_variable>
#include <future>
#include <limits>
#include <mutex>
#include <utility>

#include "rpc/net/byte_stream.h"
#include "rpc/net/io_thread.h"
#include "rpc/tls.h"
#include "rpc/tls_stream.h"

namespace strata::peer {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// Of a streamed body: what waits to be sent.
constexpr size_t kMaxUnsentBytes = 1 << 20;
// Of a response that is wanted whole.
constexpr size_t kMaxWholeBytes = 4 << 20;

Status NetworkError(std::string_view what, const error_code& error) {
  return UnavailableError(std::string(what) + ": " + error.message());
}

struct HostAndPort {
  bool tls = false;
  std::string host = {};
  uint16_t port = 0;
};

StatusOr<HostAndPort> ParseUrl(std::string_view url) {
  const bool tls = url.starts_with("https://");
  const std::string_view scheme = tls ? "https://" : "http://";
  if (!url.starts_with(scheme)) {
    return InvalidArgumentError("no http URL: " + std::string(url));
  }
  const size_t colon = url.rfind(':');
  std::string_view host = url.substr(scheme.size(), colon - scheme.size());
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  HostAndPort result = {.tls = tls, .host = std::string(host)};
  const char* const end = url.data() + url.size();
  const auto [parsed, error] =
      std::from_chars(url.data() + colon + 1, end, result.port);
  if (colon < scheme.size() || error != std::errc() || parsed != end) {
    return InvalidArgumentError("no port in URL: " + std::string(url));
  }
  return result;
}

// Bound to the IoThread, but for what the writer of a streamed body uses.
class Exchange : public Fetch, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(IoThread* thread, TlsContext* tls, FetchRequest request,
           std::shared_ptr<FetchHandler> handler)
      : thread_(thread),
        tls_(tls),
        request_(std::move(request)),
        handler_(std::move(handler)),
        socket_(*thread->context()),
        resolver_(*thread->context()),
        deadline_(thread, [this] {
          const auto self = shared_from_this();
          Finish(Status(Code::kDeadlineExceeded, "timed out"));
        }) {
    // Streams have no end. ("None" refuses a Content-Length in Boost 1.74.)
    parser_.body_limit(std::numeric_limits<uint64_t>::max());
  }

  void Begin();

  void Cancel() override;
  Status Write(std::string_view bytes) override;
  void EndBody() override;

 private:
  void Connected(const error_code& error);
  void Secure(int fd);
  void Talk();
  void QueueHead();
  void Flush();
  // What has been given to a streamed body; true: there is something.
  bool TakeUnsent();
  void Read();
  // False: it is over.
  bool Parse(std::string_view bytes);
  void EndOfInput();
  void Finish(const Status& status);
  void PostFlush();

  IoThread* const thread_;
  TlsContext* const tls_;
  const FetchRequest request_;
  HostAndPort url_;
  std::shared_ptr<FetchHandler> handler_;  // null: done
  tcp::socket socket_;
  tcp::resolver resolver_;
  Deadline deadline_;
  std::unique_ptr<ByteStream> stream_;  // null: not connected
  std::string out_;                     // being written
  size_t out_sent_ = 0;
  bool awaiting_write_ = false;
  std::string in_;  // what the parser wants to see again
  http::response_parser<http::string_body> parser_;
  bool head_given_ = false;

  std::mutex mutex_;
  std::condition_variable room_;
  std::string unsent_;       // guarded by mutex_
  bool body_ended_ = false;  // guarded by mutex_
  bool end_sent_ = false;    // guarded by mutex_
  bool broken_ = false;      // guarded by mutex_
};

void Exchange::Begin() {
  if (handler_ == nullptr) return;
  const auto url = ParseUrl(request_.url);
  if (!url.ok()) return Finish(url.status());
  url_ = *url;
  deadline_.Set(request_.connect_timeout);
  error_code error;
  const auto address = asio::ip::make_address(url->host, error);
  if (!error) {
    return socket_.async_connect(
        {address, url->port},
        [self = shared_from_this()](const error_code& failed) {
          self->Connected(failed);
        });
  }
  resolver_.async_resolve(
      url->host, std::to_string(url->port),
      [self = shared_from_this()](const error_code& failed,
                                  const tcp::resolver::results_type& found) {
        if (self->handler_ == nullptr) return;
        if (failed) return self->Finish(NetworkError("resolve", failed));
        asio::async_connect(
            self->socket_, found,
            [self](const error_code& refused, const tcp::endpoint&) {
              self->Connected(refused);
            });
      });
}

void Exchange::Connected(const error_code& error) {
  if (handler_ == nullptr) return;
  if (error == asio::error::connection_refused) {
    return Finish(NotFoundError("connect: " + error.message()));
  }
  if (error) return Finish(NetworkError("connect", error));
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  const int fd = socket_.release(ignored);
  if (ignored) return Finish(NetworkError("connect", ignored));
  if (url_.tls) return Secure(fd);
  stream_ = NewPlainStream(thread_, fd);
  Talk();
}

void Exchange::Secure(int fd) {
  StatusOr<std::shared_ptr<const TlsConfig>> config =
      UnavailableError("no certificates for " + request_.url);
  if (tls_ != nullptr) config = tls_->Current();
  if (!config.ok()) {
    NewPlainStream(thread_, fd)->Close();
    return Finish(config.status());
  }
  auto stream = TlsStream::Client(thread_, fd, *config, url_.host);
  TlsStream* const secured = stream.get();
  stream_ = std::move(stream);
  secured->Handshake([self = shared_from_this()](const Status& status) {
    if (self->handler_ == nullptr) return;
    if (!status.ok()) return self->Finish(status);
    self->Talk();
  });
}

void Exchange::Talk() {
  deadline_.Set(request_.idle_timeout);
  QueueHead();
  Flush();
  Read();
}

void Exchange::QueueHead() {
  out_ = request_.method + " " + request_.path + " HTTP/1.1\r\nHost: " +
         request_.url.substr(request_.url.find("://") + 3) + "\r\n";
  for (const auto& [name, value] : request_.headers) {
    out_ += name + ": " + value + "\r\n";
  }
  if (request_.streams_body) {
    out_ += "Transfer-Encoding: chunked\r\n";
  } else if (request_.method == "POST" || !request_.body.empty()) {
    out_ += "Content-Length: " + std::to_string(request_.body.size()) + "\r\n";
  }
  out_ += "\r\n" + request_.body;
}

bool Exchange::TakeUnsent() {
  if (!request_.streams_body) return false;
  const std::lock_guard lock(mutex_);
  out_.clear();
  out_sent_ = 0;
  if (!unsent_.empty()) {
    std::array<char, 16> length;
    const auto digits = std::to_chars(
        length.data(), length.data() + length.size(), unsent_.size(), 16);
    out_.assign(length.data(), digits.ptr);
    out_ += "\r\n" + unsent_ + "\r\n";
    unsent_.clear();
    room_.notify_all();
  }
  if (body_ended_ && !std::exchange(end_sent_, true)) out_ += "0\r\n\r\n";
  return !out_.empty();
}

void Exchange::Flush() {
  if (stream_ == nullptr || handler_ == nullptr || awaiting_write_) return;
  while (out_sent_ < out_.size() || TakeUnsent()) {
    const auto sent = stream_->Write(std::string_view(out_).substr(out_sent_));
    if (sent.outcome == ByteStream::Outcome::kWait) {
      awaiting_write_ = true;
      return stream_->AwaitWrite([self = shared_from_this()] {
        self->awaiting_write_ = false;
        self->Flush();
      });
    }
    if (sent.outcome != ByteStream::Outcome::kDone) {
      return Finish(UnavailableError("write: the connection is broken"));
    }
    deadline_.Set(request_.idle_timeout);
    out_sent_ += sent.bytes;
  }
}

// One piece, then others have their turn: a stream of appends must not keep the
// one with heartbeats from being read.
void Exchange::Read() {
  if (handler_ == nullptr) return;
  char* const scratch = thread_->scratch();
  const auto got = stream_->Read(scratch, IoThread::kScratchBytes);
  switch (got.outcome) {
    case ByteStream::Outcome::kWait:
      break;
    case ByteStream::Outcome::kEnd:
      return EndOfInput();
    case ByteStream::Outcome::kFailed:
      return Finish(UnavailableError("read: the connection is broken"));
    case ByteStream::Outcome::kDone:
      deadline_.Set(request_.idle_timeout);
      if (!Parse({scratch, got.bytes})) return;
      if (got.bytes < IoThread::kScratchBytes) break;
      return thread_->Post([self = shared_from_this()] { self->Read(); });
  }
  stream_->AwaitRead([self = shared_from_this()] { self->Read(); });
}

void Exchange::EndOfInput() {
  error_code error;
  if (head_given_) parser_.put_eof(error);
  if (head_given_ && !error) return Finish(Status::Ok());
  Finish(UnavailableError("the connection was closed"));
}

bool Exchange::Parse(std::string_view bytes) {
  const auto canceled = [this] {
    Finish(Status(Code::kCanceled, "canceled"));
    return false;
  };
  if (!in_.empty()) bytes = in_.append(bytes);
  while (!bytes.empty() && !parser_.is_done()) {
    error_code error;
    const size_t used =
        parser_.put(asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(used);
    if (error && error != http::error::need_more) {
      Finish(NetworkError("no HTTP response", error));
      return false;
    }
    if (parser_.is_header_done() && !head_given_) {
      head_given_ = true;
      HttpResponse head;
      head.status = static_cast<int>(parser_.get().result_int());
      for (const auto& field : parser_.get()) {
        head.headers.emplace_back(std::string(field.name_string()),
                                  std::string(field.value()));
      }
      if (!handler_->OnHead(head)) return canceled();
    }
    std::string& body = parser_.get().body();
    if (!body.empty() && !handler_->OnBody(body)) return canceled();
    body.clear();
    if (error == http::error::need_more) break;
  }
  in_ = std::string(bytes);
  if (parser_.is_done()) Finish(Status::Ok());
  return handler_ != nullptr;
}

void Exchange::Finish(const Status& status) {
  if (handler_ == nullptr) return;
  const auto handler = std::exchange(handler_, nullptr);
  {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }
  room_.notify_all();
  deadline_.Clear();
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
  if (stream_ != nullptr) stream_->Close();
  handler->OnDone(status);
}

void Exchange::Cancel() {
  {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }
  room_.notify_all();
  thread_->Post([self = shared_from_this()] {
    self->Finish(Status(Code::kCanceled, "canceled"));
  });
}

void Exchange::PostFlush() {
  thread_->Post([self = shared_from_this()] { self->Flush(); });
}

Status Exchange::Write(std::string_view bytes) {
  std::unique_lock lock(mutex_);
  room_.wait(lock,
             [this] { return broken_ || unsent_.size() < kMaxUnsentBytes; });
  if (broken_) return UnavailableError("the connection has ended");
  const bool waits = !unsent_.empty();
  unsent_.append(bytes);
  if (!waits) PostFlush();
  return Status::Ok();
}

void Exchange::EndBody() {
  {
    const std::lock_guard lock(mutex_);
    body_ended_ = true;
  }
  PostFlush();
}

class Client : public HttpClient {
 public:
  Client(const std::string& name, TlsContext* tls, ThreadPriority priority)
      : tls_(tls), thread_(name, priority) {}
  ~Client() override { Stop(); }

  std::shared_ptr<Fetch> Start(FetchRequest request,
                               std::shared_ptr<FetchHandler> handler) override {
    auto exchange = std::make_shared<Exchange>(
        &thread_, tls_, std::move(request), std::move(handler));
    thread_.Post([exchange] { exchange->Begin(); });
    return exchange;
  }
  void Post(std::function<void()> function) override {
    thread_.Post(std::move(function));
  }
  void After(Duration delay, std::function<void()> function) override {
    auto timer =
        std::make_shared<asio::steady_timer>(*thread_.context(), delay);
    timer->async_wait(
        [timer, function = std::move(function)](const error_code& error) {
          if (!error) function();
        });
  }
  Time Now() const override { return thread_.Now(); }
  void Stop() override {
    if (stopped_.exchange(true)) return;
    // Nothing runs on the thread after what stops it.
    thread_.Run([this] { thread_.context()->stop(); });
  }

 private:
  TlsContext* const tls_;
  std::atomic<bool> stopped_ = false;
  IoThread thread_;
};

class WholeResponse : public FetchHandler {
 public:
  explicit WholeResponse(std::function<void(StatusOr<HttpResponse>)> done)
      : done_(std::move(done)) {}

  bool OnHead(const HttpResponse& head) override {
    response_ = head;
    return true;
  }
  bool OnBody(std::string_view bytes) override {
    response_.body.append(bytes);
    return response_.body.size() <= kMaxWholeBytes;
  }
  void OnDone(const Status& status) override {
    if (!status.ok()) return done_(status);
    done_(std::move(response_));
  }

 private:
  const std::function<void(StatusOr<HttpResponse>)> done_;
  HttpResponse response_;
};

}  // namespace

std::unique_ptr<HttpClient> HttpClient::New(const std::string& name,
                                            TlsContext* tls,
                                            ThreadPriority priority) {
  return std::make_unique<Client>(name, tls, priority);
}

std::shared_ptr<Fetch> FetchWhole(
    HttpClient* client, FetchRequest request,
    std::function<void(StatusOr<HttpResponse>)> done) {
  return client->Start(std::move(request),
                       std::make_shared<WholeResponse>(std::move(done)));
}

StatusOr<HttpResponse> FetchAndWait(HttpClient* client, FetchRequest request) {
  auto answer = std::make_shared<std::promise<StatusOr<HttpResponse>>>();
  FetchWhole(client, std::move(request), [answer](auto response) {
    answer->set_value(std::move(response));
  });
  return answer->get_future().get();
}

}  // namespace strata::peer
