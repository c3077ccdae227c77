#include "rpc/peer/http_client.h"

#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <utility>

#include "base/check.h"

namespace strata::peer {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr size_t kReadBytes = 64 << 10;
// Of a streamed body: what waits to be sent.
constexpr size_t kMaxUnsentBytes = 1 << 20;
// Idleness is looked for this often in its time.
constexpr int kIdleSteps = 2;
// Of a response that is wanted whole.
constexpr size_t kMaxWholeBytes = 4 << 20;

Status NetworkError(std::string_view what, const error_code& error) {
  return UnavailableError(std::string(what) + ": " + error.message());
}

struct HostAndPort {
  std::string host;
  std::string port;
};

StatusOr<HostAndPort> ParseUrl(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) {
    return InvalidArgumentError("no http URL: " + std::string(url));
  }
  url.remove_prefix(kScheme.size());
  const size_t colon = url.rfind(':');
  if (colon == std::string_view::npos) {
    return InvalidArgumentError("no port in URL: " + std::string(url));
  }
  std::string host(url.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  return HostAndPort{std::move(host), std::string(url.substr(colon + 1))};
}

// Bound to the io_context, which one thread runs, but for what a streamed
// body's writer uses.
class Exchange : public Fetch, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context* io, FetchRequest request,
           std::shared_ptr<FetchHandler> handler)
      : io_(io),
        request_(std::move(request)),
        handler_(std::move(handler)),
        socket_(*io),
        resolver_(*io),
        timer_(*io) {
    parser_.body_limit(boost::none);
  }

  void Begin() {
    const auto url = ParseUrl(request_.url);
    if (!url.ok()) return Fail(url.status());
    StartTimer(request_.connect_timeout);
    error_code error;
    const auto address = asio::ip::make_address(url->host, error);
    if (!error) {
      const tcp::endpoint endpoint(
          address, static_cast<uint16_t>(std::stoul("0" + url->port)));
      return socket_.async_connect(
          endpoint, [self = shared_from_this()](const error_code& failed) {
            self->Connected(failed);
          });
    }
    resolver_.async_resolve(
        url->host, url->port,
        [self = shared_from_this()](const error_code& failed,
                                    const tcp::resolver::results_type& found) {
          if (failed) return self->Fail(NetworkError("resolve", failed));
          asio::async_connect(
              self->socket_, found,
              [self](const error_code& refused, const tcp::endpoint&) {
                self->Connected(refused);
              });
        });
  }

  void Cancel() override {
    {
      const std::lock_guard lock(mutex_);
      broken_ = true;
    }
    room_.notify_all();
    asio::post(*io_, [self = shared_from_this()] {
      self->Fail(Status(Code::kCanceled, "canceled"));
    });
  }

  Status Write(std::string_view bytes) override;
  void EndBody() override;

 private:
  void Connected(const error_code& error);
  void WriteHead();
  void ReadSome();
  void Parse();
  void PumpBody();
  void StartTimer(Duration step);
  void Fail(const Status& status) { Finish(status); }
  void Finish(const Status& status);

  asio::io_context* const io_;
  const FetchRequest request_;
  std::shared_ptr<FetchHandler> handler_;  // null: done
  tcp::socket socket_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  std::string head_;
  boost::beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  bool head_given_ = false;
  int idle_steps_ = 0;  // since the last byte
  int idle_steps_max_ = 1;

  std::mutex mutex_;
  std::condition_variable room_;
  std::string unsent_;       // guarded by mutex_
  bool body_ended_ = false;  // guarded by mutex_
  bool broken_ = false;      // guarded by mutex_
  bool connected_ = false;   // guarded by mutex_: the head has been sent
  std::string sending_;      // being written; used on the io_context
  bool pumping_ = false;     // guarded by mutex_
};

void Exchange::StartTimer(Duration step) {
  timer_.expires_after(step);
  timer_.async_wait([self = shared_from_this(), step](const error_code& error) {
    if (error || self->handler_ == nullptr) return;
    if (++self->idle_steps_ < self->idle_steps_max_) {
      return self->StartTimer(step);
    }
    self->Fail(Status(Code::kDeadlineExceeded, "timed out"));
  });
}

void Exchange::Connected(const error_code& error) {
  if (handler_ == nullptr) return;
  if (error) return Fail(NetworkError("connect", error));
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  idle_steps_ = 0;
  idle_steps_max_ = kIdleSteps;
  StartTimer(request_.idle_timeout / kIdleSteps);
  WriteHead();
  ReadSome();
}

void Exchange::WriteHead() {
  head_ = request_.method + " " + request_.path + " HTTP/1.1\r\nHost: " +
          request_.url.substr(request_.url.find("://") + 3) + "\r\n";
  for (const auto& [name, value] : request_.headers) {
    head_ += name + ": " + value + "\r\n";
  }
  if (request_.streams_body) {
    head_ += "Transfer-Encoding: chunked\r\n";
  } else if (!request_.body.empty() || request_.method == "POST") {
    head_ += "Content-Length: " + std::to_string(request_.body.size()) + "\r\n";
  }
  head_ += "\r\n" + request_.body;
  asio::async_write(
      socket_, asio::buffer(head_),
      [self = shared_from_this()](const error_code& error, size_t) {
        if (self->handler_ == nullptr) return;
        if (error) return self->Fail(NetworkError("write", error));
        self->idle_steps_ = 0;
        if (!self->request_.streams_body) return;
        const std::lock_guard lock(self->mutex_);
        self->connected_ = true;
        self->PumpBody();
      });
}

void Exchange::ReadSome() {
  socket_.async_read_some(
      buffer_.prepare(kReadBytes),
      [self = shared_from_this()](const error_code& error, size_t count) {
        if (self->handler_ == nullptr) return;
        self->idle_steps_ = 0;
        self->buffer_.commit(count);
        if (error == asio::error::eof && self->head_given_) {
          error_code ended;
          self->parser_.put_eof(ended);
          if (!ended) return self->Finish(Status::Ok());
        }
        if (error) return self->Fail(NetworkError("read", error));
        self->Parse();
      });
}

void Exchange::Parse() {
  while (buffer_.size() > 0 && !parser_.is_done()) {
    error_code error;
    const size_t used = parser_.put(buffer_.data(), error);
    buffer_.consume(used);
    if (error == http::error::need_more) break;
    if (error) return Fail(NetworkError("no HTTP response", error));
    if (parser_.is_header_done() && !head_given_) {
      head_given_ = true;
      HttpResponse head;
      head.status = static_cast<int>(parser_.get().result_int());
      for (const auto& field : parser_.get()) {
        head.headers.emplace_back(std::string(field.name_string()),
                                  std::string(field.value()));
      }
      if (!handler_->OnHead(head)) return Fail(Status(Code::kCanceled, ""));
    }
    std::string& body = parser_.get().body();
    if (body.empty()) continue;
    if (!handler_->OnBody(body)) return Fail(Status(Code::kCanceled, ""));
    if (handler_ == nullptr) return;
    body.clear();
  }
  if (parser_.is_done()) return Finish(Status::Ok());
  ReadSome();
}

void Exchange::Finish(const Status& status) {
  if (handler_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }
  room_.notify_all();
  error_code ignored;
  timer_.cancel(ignored);
  resolver_.cancel();
  socket_.close(ignored);
  const auto handler = std::exchange(handler_, nullptr);
  handler->OnDone(status);
}

Status Exchange::Write(std::string_view bytes) {
  std::unique_lock lock(mutex_);
  room_.wait(lock,
             [this] { return broken_ || unsent_.size() < kMaxUnsentBytes; });
  if (broken_) return UnavailableError("the connection has ended");
  unsent_.append(bytes);
  asio::post(*io_, [self = shared_from_this()] {
    const std::lock_guard relock(self->mutex_);
    self->PumpBody();
  });
  return Status::Ok();
}

void Exchange::EndBody() {
  const std::lock_guard lock(mutex_);
  body_ended_ = true;
  asio::post(*io_, [self = shared_from_this()] {
    const std::lock_guard relock(self->mutex_);
    self->PumpBody();
  });
}

// REQUIRES: mutex_ is held
void Exchange::PumpBody() {
  if (!connected_ || pumping_ || broken_) return;
  if (unsent_.empty() && !body_ended_) return;
  sending_.clear();
  const bool last = body_ended_;
  if (!unsent_.empty()) {
    char length[32];
    const int digits =
        std::snprintf(length, sizeof length, "%zx\r\n", unsent_.size());
    sending_.append(length, static_cast<size_t>(digits));
    sending_ += unsent_ + "\r\n";
    unsent_.clear();
  }
  if (last) sending_ += "0\r\n\r\n";
  pumping_ = true;
  room_.notify_all();
  asio::async_write(
      socket_, asio::buffer(sending_),
      [self = shared_from_this(), last](const error_code& error, size_t) {
        if (self->handler_ == nullptr) return;
        if (error) return self->Fail(NetworkError("write", error));
        self->idle_steps_ = 0;
        const std::lock_guard lock(self->mutex_);
        self->pumping_ = last;  // nothing after the end
        self->PumpBody();
      });
}

class AsioClient : public HttpClient {
 public:
  explicit AsioClient(const std::string& name)
      : work_(io_.get_executor()), thread_(NewThreadedLoop(name)) {
    thread_->Post([this] { io_.run(); });
  }
  ~AsioClient() override { Stop(); }

  std::shared_ptr<Fetch> Start(FetchRequest request,
                               std::shared_ptr<FetchHandler> handler) override {
    auto exchange = std::make_shared<Exchange>(&io_, std::move(request),
                                               std::move(handler));
    asio::post(io_, [exchange] { exchange->Begin(); });
    return exchange;
  }
  void Post(std::function<void()> function) override {
    asio::post(io_, std::move(function));
  }
  void After(Duration delay, std::function<void()> function) override {
    auto timer = std::make_shared<asio::steady_timer>(io_, delay);
    timer->async_wait(
        [timer, function = std::move(function)](const error_code& error) {
          if (!error) function();
        });
  }
  Time Now() const override {
    return std::chrono::duration_cast<Time>(
        asio::steady_timer::clock_type::now().time_since_epoch());
  }
  void Stop() override {
    io_.stop();
    thread_.reset();
  }

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::unique_ptr<Loop> thread_;
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

std::unique_ptr<HttpClient> HttpClient::New(const std::string& name) {
  return std::make_unique<AsioClient>(name);
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
