#include "rpc/http/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace strata {
namespace {

using namespace std::chrono_literals;

// A socket of a client that waits for 5 seconds at most.
class Client {
 public:
  explicit Client(int port, int receive_bytes = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    SetUp(receive_bytes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address),
                         sizeof address) == 0;
  }
  explicit Client(const std::string& path) {
    fd_ = socket(AF_UNIX, SOCK_STREAM, 0);
    SetUp(/*receive_bytes=*/0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address),
                         sizeof address) == 0;
  }
  ~Client() { Close(); }

  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  bool connected() const { return connected_; }

  bool Send(const std::string& bytes) {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  // What has come once it contains `end`, and no more; what there is if the
  // connection ends before.
  std::string ReadUntil(const std::string& end) {
    while (read_.find(end) == std::string::npos && ReadSome()) {
    }
    const size_t found = read_.find(end);
    const size_t size =
        found == std::string::npos ? read_.size() : found + end.size();
    std::string taken = read_.substr(0, size);
    read_.erase(0, size);
    return taken;
  }
  // All until the end; "timeout" if there is none.
  std::string ReadAll() {
    while (ReadSome()) {
    }
    return std::exchange(read_, {}) + (timed_out_ ? "timeout" : "");
  }
  std::string Ask(const std::string& request, const std::string& end) {
    Send(request);
    return ReadUntil(end);
  }

 private:
  void SetUp(int receive_bytes) {
    const timeval limit = {.tv_sec = 5, .tv_usec = 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (receive_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes,
                 sizeof receive_bytes);
    }
  }
  bool ReadSome() {
    char buffer[65536];
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    timed_out_ = got < 0 && errno == EAGAIN;
    if (got > 0) read_.append(buffer, static_cast<size_t>(got));
    return got > 0;
  }

  int fd_ = -1;
  bool connected_ = false;
  bool timed_out_ = false;
  std::string read_;
};

// What a handler of the tests has seen, and its sink.
struct Seen {
  std::mutex mutex;
  std::condition_variable changed;
  std::string body;
  bool body_ended = false;
  int writable = 0;
  bool done = false;
  std::shared_ptr<HttpSink> sink;

  template <typename Predicate>
  bool Await(Predicate predicate) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 5s, predicate);
  }
  bool AwaitDone() {
    return Await([this] { return done; });
  }
};

class SeeingHandler : public HttpHandler {
 public:
  SeeingHandler(std::shared_ptr<Seen> seen, bool pauses)
      : seen_(std::move(seen)), pauses_(pauses) {}

  bool OnBody(std::string_view bytes) override {
    Change([&] { seen_->body += bytes; });
    return !pauses_;
  }
  void OnBodyEnd() override {
    Change([&] { seen_->body_ended = true; });
  }
  void OnWritable() override {
    Change([&] { ++seen_->writable; });
  }
  void OnDone() override {
    Change([&] { seen_->done = true; });
  }

 private:
  template <typename Function>
  void Change(Function function) {
    const std::lock_guard lock(seen_->mutex);
    EXPECT_FALSE(seen_->done) << "called after OnDone";
    function();
    seen_->changed.notify_all();
  }

  const std::shared_ptr<Seen> seen_;
  const bool pauses_;
};

class HttpServerTest : public testing::Test {
 protected:
  void Start(const HttpServerOptions& options = {}) {
    std::vector<HttpRoute> routes;
    routes.push_back(WholeBodyRoute(
        "/echo/", 100, [](HttpRequest request, std::string body, auto reply) {
          reply({.headers = {{"Server", "test"}},
                 .body = request.method + " " + request.path + "?" +
                         request.query + " " + body});
        }));
    routes.push_back(Seeing("/stream", /*pauses=*/false));
    routes.push_back(Seeing("/pausing", /*pauses=*/true));
    server_ = HttpServer::New(&thread_, std::move(routes), options);
    const StatusOr<int> port = server_->Listen("127.0.0.1:0", listen_);
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *port;
  }
  void TearDown() override {
    if (server_ != nullptr) server_->Shutdown(0s);
  }

  HttpRoute Seeing(const std::string& path, bool pauses) {
    return {path, 1 << 20,
            [this, pauses](HttpRequest, std::shared_ptr<HttpSink> sink) {
              const auto seen = std::make_shared<Seen>();
              seen->sink = std::move(sink);
              const std::lock_guard lock(mutex_);
              seen_ = seen;
              opened_.notify_all();
              return std::make_shared<SeeingHandler>(seen, pauses);
            }};
  }
  std::shared_ptr<Seen> Opened() {
    std::unique_lock lock(mutex_);
    opened_.wait_for(lock, 5s, [this] { return seen_ != nullptr; });
    return std::exchange(seen_, nullptr);
  }

  std::mutex mutex_;
  std::condition_variable opened_;
  std::shared_ptr<Seen> seen_;
  ListenOptions listen_ = {.env = Env::Posix()};
  IoThread thread_{"http-test"};
  std::unique_ptr<HttpServer> server_;
  int port_ = 0;
};

std::string Get(const std::string& path, const std::string& more = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}
std::string Post(const std::string& path, const std::string& body) {
  return "POST " + path +
         " HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST_F(HttpServerTest, RequestsOnOneConnection) {
  Start();
  Client client(port_);
  const std::string head = client.Ask(Get("/echo/a%20b?c=%20d"), "\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\nServer: test\r\nDate: "))
      << head;
  EXPECT_NE(head.find(" GMT\r\nContent-Length: 21\r\n\r\n"), std::string::npos)
      << head;
  EXPECT_EQ(client.ReadUntil("d "), "GET /echo/a b?c=%20d ");
  EXPECT_NE(
      client.Ask(Post("/echo/", "body"), "body").find("POST /echo/? body"),
      std::string::npos);
  // In chunks, in pieces, and the next request behind it.
  client.Send("POST /echo/1 HTTP/1.1\r\nTransfer-Encoding: chu");
  client.Send("nked\r\n\r\n3;x=y\r\nabc\r\n2\r\nd");
  client.Send("e\r\n0\r\nTrailer: x\r\n\r\n" + Get("/echo/2") +
              Post("/echo/3", "last"));
  EXPECT_NE(client.ReadUntil("abcde").find("POST /echo/1? abcde"),
            std::string::npos);
  EXPECT_NE(client.ReadUntil("last").find("GET /echo/2? HTTP/1.1 200"),
            std::string::npos);
}

TEST_F(HttpServerTest, ConnectionsThatEndWithTheResponse) {
  Start();
  for (const std::string request :
       {"GET /echo/ HTTP/1.0\r\n\r\n",
        "GET /echo/ HTTP/1.1\r\nConnection: close\r\n\r\n"}) {
    Client client(port_);
    client.Send(request);
    const std::string all = client.ReadAll();
    EXPECT_NE(all.find("Connection: close\r\n\r\nGET /echo/? "),
              std::string::npos)
        << all;
  }
  Client old(port_);
  EXPECT_NE(
      old.Ask("GET /echo/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "? ")
          .find("Connection: keep-alive"),
      std::string::npos);
  EXPECT_NE(old.Ask(Get("/echo/"), "? ").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  Start();
  Client client(port_);
  const std::string head =
      client.Ask("HEAD /echo/ HTTP/1.1\r\n\r\n", "\r\n\r\n");
  EXPECT_NE(head.find("Content-Length: 13\r\n"), std::string::npos) << head;
  EXPECT_TRUE(client.Ask(Get("/echo/"), "? ").starts_with("HTTP/1.1 200"));
}

// A request, what its refusal begins with, and whether it ends the connection.
TEST_F(HttpServerTest, Refusals) {
  Start({.max_head_bytes = 1000});
  const std::vector<std::pair<std::string, std::string>> cases = {
      {Get("/none"), "HTTP/1.1 404 Not Found\r\n"},
      {Post("/none", "body"), "HTTP/1.1 404 Not Found\r\n"},
      {Post("/echo/", std::string(101, 'x')), "HTTP/1.1 413 "},
      {"POST /echo/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
           std::string(101, 'x'),
       "HTTP/1.1 413 "},
      {Get("/echo/", "A: " + std::string(1000, 'x') + "\r\n"), "HTTP/1.1 431 "},
      {"GET /" + std::string(2000, 'x'), "HTTP/1.1 431 "},
      {"POST /echo/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
           std::string(2000, 'x'),
       "HTTP/1.1 431 "},
      {"hello\r\n\r\n", "HTTP/1.1 400 "},
      {std::string("\x16\x03\x01\x00\x05hello", 10), "HTTP/1.1 400 "},
      {Get("/echo/%4"), "HTTP/1.1 400 "},
      {Get("no-path"), "HTTP/1.1 400 "},
      {"POST /echo/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: "
       "chunked\r\n\r\n",
       "HTTP/1.1 400 "},
      {"POST /echo/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 "},
  };
  for (const auto& [request, begin] : cases) {
    Client client(port_);
    client.Send(request);
    const std::string all = client.ReadAll();
    EXPECT_TRUE(all.starts_with(begin)) << request << "\n" << all;
    EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos) << all;
    EXPECT_FALSE(all.ends_with("timeout")) << request;
  }
  Client client(port_);
  EXPECT_NE(client.Ask(Get("/echo/"), "? ").find("200 OK"), std::string::npos);
}

// What comes after a refusal is read for a while only.
TEST_F(HttpServerTest, AFloodAfterARefusal) {
  Start();
  Client client(port_);
  client.Send("POST /none HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n");
  const std::string piece(100'000, 'x');
  int sent = 0;
  while (sent < 1000 && client.Send(piece)) ++sent;
  EXPECT_LT(sent, 1000);
}

TEST_F(HttpServerTest, SlowRequestsAreCutOff) {
  Start({.head_timeout = 50ms, .idle_timeout = 200ms, .body_timeout = 100ms});
  Client silent(port_);
  EXPECT_EQ(silent.ReadAll(), "");
  Client head(port_);
  head.Send("GET /echo/ HTTP/1.1\r\n");
  EXPECT_TRUE(head.ReadAll().starts_with("HTTP/1.1 408 "));
  Client body(port_);
  body.Send("POST /echo/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nab");
  EXPECT_TRUE(body.ReadAll().starts_with("HTTP/1.1 408 "));
  Client idle(port_);
  EXPECT_NE(idle.Ask(Get("/echo/"), "? ").find("200 OK"), std::string::npos);
  EXPECT_EQ(idle.ReadAll(), "");
  // Drop by drop is as slow.
  Client drops(port_);
  for (int sent = 0; sent < 20; ++sent) {
    drops.Send("x");
    usleep(10'000);
  }
  EXPECT_TRUE(drops.ReadAll().starts_with("HTTP/1.1 408 "));
}

TEST_F(HttpServerTest, PiecesBothWaysAtOnce) {
  Start({.body_timeout = 50ms});
  Client client(port_);
  client.Send("POST /stream HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  const auto seen = Opened();
  ASSERT_NE(seen, nullptr);
  seen->sink->Begin(200, {{"Content-Type", "text/plain"}});
  seen->sink->Write("one");
  EXPECT_NE(client.ReadUntil("3\r\none\r\n").find("chunked\r\n"),
            std::string::npos);
  usleep(100'000);  // a body that goes on has no timeout
  client.Send("2\r\nab\r\n");
  EXPECT_TRUE(seen->Await([&] { return seen->body == "ab"; }));
  seen->sink->Write(std::string(17, 'x'));
  EXPECT_EQ(client.ReadUntil("x\r\n"),
            "11\r\n" + std::string(17, 'x') + "\r\n");
  client.Send("0\r\n\r\n");
  EXPECT_TRUE(seen->Await([&] { return seen->body_ended; }));
  seen->sink->Finish();
  EXPECT_EQ(client.ReadAll(), "0\r\n\r\n");
  EXPECT_TRUE(seen->AwaitDone());
}

// Who says something writes it, and does not wait for the server's thread; what
// the client's socket does not take is left to that, in its order.
TEST_F(HttpServerTest, WritesFromTheHandlersThread) {
  Start();
  Client client(port_);
  client.Send(Get("/stream"));
  const auto seen = Opened();
  seen->sink->Begin(200, {});
  client.ReadUntil("\r\n\r\n");
  thread_.Run([] {});  // it knows that the head is sent
  std::promise<void> busy;
  thread_.Post([&] { busy.get_future().wait(); });
  seen->sink->Write("now");
  EXPECT_EQ(client.ReadUntil("now\r\n"), "3\r\nnow\r\n");
  std::string sent;
  for (char letter = 'a'; letter <= 'p'; ++letter) {
    seen->sink->Write(std::string(1 << 20, letter));
    sent += "100000\r\n" + std::string(1 << 20, letter) + "\r\n";
  }
  busy.set_value();
  EXPECT_EQ(client.ReadUntil("pp\r\n"), sent);
  seen->sink->Finish();
}

TEST_F(HttpServerTest, ABodyOfKnownLength) {
  Start();
  Client client(port_);
  client.Send(Get("/stream"));
  const auto seen = Opened();
  EXPECT_TRUE(seen->Await([&] { return seen->body_ended; }));
  seen->sink->Begin(200, {{"Content-Length", "6"}});
  seen->sink->Write("abc");
  seen->sink->Write("def");
  seen->sink->Finish();
  EXPECT_TRUE(client.ReadUntil("abcdef").ends_with("\r\n\r\nabcdef"));
  EXPECT_NE(client.Ask(Get("/echo/"), "? ").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, ABodyIsReadAsItsHandlerWants) {
  Start({.body_timeout = 50ms});
  Client client(port_);
  client.Send(
      "POST /pausing HTTP/1.1\r\nContent-Length: 6\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("abc");
  const auto seen = Opened();
  EXPECT_TRUE(seen->Await([&] { return seen->body == "abc"; }));
  client.Send("def");
  usleep(100'000);  // no timeout while it is us who wait
  EXPECT_EQ(seen->body, "abc");
  seen->sink->ReadMore();
  EXPECT_TRUE(seen->Await([&] { return seen->body == "abcdef"; }));
  EXPECT_FALSE(seen->body_ended);
  seen->sink->ReadMore();
  EXPECT_TRUE(seen->Await([&] { return seen->body_ended; }));
  seen->sink->Reply({.status = 204});
  EXPECT_TRUE(client.ReadUntil("\r\n\r\n").starts_with("HTTP/1.1 204 "));
}

// The interim answer is not a part of what the handler says, and so does not
// count as sent of it: else there would never be room for the first word.
TEST_F(HttpServerTest, AnInterimAnswerTakesNothingOfTheBound) {
  Start({.write_buffer_bytes = 100});
  Client client(port_);
  for (int i = 0; i < 3; ++i) {
    client.Send(
        "POST /stream HTTP/1.1\r\nContent-Length: 3\r\n"
        "Expect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.Send("abc");
    const auto seen = Opened();
    EXPECT_TRUE(seen->Await([&] { return seen->body_ended; }));
    EXPECT_TRUE(seen->sink->Writable());
    seen->sink->Begin(200, {});
    EXPECT_NE(client.ReadUntil("\r\n\r\n").find(" 200 "), std::string::npos);
    EXPECT_TRUE(seen->sink->Writable()) << "all has been sent";
    // A handler that was refused is told that there is room.
    seen->sink->Write(std::string(40'000, 'x'));
    if (!seen->sink->Writable()) {
      EXPECT_TRUE(seen->Await([&] { return seen->writable > 0; }));
    }
    EXPECT_TRUE(seen->sink->Writable());
    seen->sink->Finish();
    client.ReadUntil("\r\n0\r\n\r\n");
    EXPECT_TRUE(seen->AwaitDone());
  }
}

constexpr uint64_t kFarTooMuch = 50'000'000;

// Writes until there is no room, nor any made by the kernel's buffers. Returns
// how much.
uint64_t Fill(const Seen& seen) {
  const std::string piece(10'000, 'x');
  uint64_t written = 0;
  while (written < kFarTooMuch) {
    if (!seen.sink->Writable()) {
      usleep(20'000);
      if (!seen.sink->Writable()) break;
    }
    seen.sink->Write(piece);
    written += piece.size();
  }
  return written;
}

TEST_F(HttpServerTest, AClientThatReadsSlowly) {
  Start({.write_buffer_bytes = 100'000});
  Client client(port_, /*receive_bytes=*/4096);
  client.Send(Get("/stream"));
  const auto seen = Opened();
  seen->sink->Begin(200, {});
  const uint64_t written = Fill(*seen);
  ASSERT_LT(written, kFarTooMuch);
  // All of it comes, and the handler is told that there is room again.
  seen->writable = 0;
  auto reading = std::async(std::launch::async, [&] {
    return client.ReadUntil("\r\n0\r\n\r\n").size();
  });
  EXPECT_TRUE(seen->Await([&] { return seen->writable > 0; }));
  EXPECT_TRUE(seen->sink->Writable());
  seen->sink->Finish();
  EXPECT_GT(reading.get(), written);
}

TEST_F(HttpServerTest, AClientThatDoesNotReadIsCutOff) {
  Start({.write_timeout = 100ms, .write_buffer_bytes = 100'000});
  Client client(port_, /*receive_bytes=*/4096);
  client.Send(Get("/stream"));
  const auto seen = Opened();
  seen->sink->Begin(200, {});
  ASSERT_LT(Fill(*seen), kFarTooMuch);
  EXPECT_TRUE(seen->AwaitDone());
}

TEST_F(HttpServerTest, AClientThatGoes) {
  Start();
  for (const std::string& request :
       {Get("/stream"), Post("/stream", "abc").substr(0, 60)}) {
    Client client(port_);
    client.Send(request);
    const auto seen = Opened();
    seen->sink->Begin(200, {});
    client.Close();
    EXPECT_TRUE(seen->AwaitDone());
    seen->sink->Write("nobody reads this");
    seen->sink->Finish();
  }
}

TEST_F(HttpServerTest, AnAbortIsSeen) {
  Start();
  Client client(port_);
  client.Send(Get("/stream"));
  const auto seen = Opened();
  seen->sink->Begin(200, {});
  seen->sink->Write("part");
  client.ReadUntil("part\r\n");
  seen->sink->Abort();
  EXPECT_EQ(client.ReadAll(), "");  // no last chunk
  EXPECT_TRUE(seen->AwaitDone());
}

TEST_F(HttpServerTest, AnAnswerBeforeTheBody) {
  Start();
  Client client(port_);
  client.Send("POST /stream HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc");
  const auto seen = Opened();
  EXPECT_TRUE(seen->Await([&] { return seen->body == "abc"; }));
  seen->sink->Reply({.status = 403, .body = "no"});
  const std::string all = client.ReadAll();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 403 Forbidden\r\n")) << all;
  EXPECT_NE(all.find("Connection: close\r\n\r\nno"), std::string::npos) << all;
}

TEST_F(HttpServerTest, ShutdownLetsExchangesEnd) {
  Start();
  Client idle(port_);
  idle.Ask(Get("/echo/"), "? ");
  Client streaming(port_);
  streaming.Send(Get("/stream"));
  const auto stream = Opened();
  stream->sink->Begin(200, {});
  streaming.ReadUntil("\r\n\r\n");
  Client waiting(port_);
  waiting.Send(Get("/stream"));
  const auto wait = Opened();
  auto stopped =
      std::async(std::launch::async, [this] { server_->Shutdown(5s); });
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_EQ(streaming.ReadAll(), "");
  EXPECT_TRUE(stream->AwaitDone());
  EXPECT_EQ(stopped.wait_for(50ms), std::future_status::timeout);
  EXPECT_FALSE(Client(port_).connected());
  wait->sink->Reply({.body = "late"});
  EXPECT_NE(waiting.ReadAll().find("Connection: close\r\n\r\nlate"),
            std::string::npos);
  stopped.get();
  EXPECT_TRUE(wait->AwaitDone());
  server_ = nullptr;
}

TEST_F(HttpServerTest, ShutdownCutsOffAfterItsGrace) {
  Start();
  Client client(port_);
  client.Send(Get("/stream"));
  const auto seen = Opened();
  server_->Shutdown(50ms);
  EXPECT_TRUE(seen->done);
  EXPECT_EQ(client.ReadAll(), "");
  seen->sink->Reply({});  // nobody is there any more
  server_ = nullptr;
}

TEST_F(HttpServerTest, UnixSocket) {
  Start();
  // Short: the name of a socket has 108 bytes.
  const std::string path =
      "/tmp/strata-http-" + std::to_string(getpid()) + ".sock";
  const std::string address = "unix:" + path;
  {  // left behind by a server that was killed
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    close(fd);
  }
  ASSERT_TRUE(server_->Listen(address, listen_).ok());
  Client client(path);
  EXPECT_NE(client.Ask(Get("/echo/"), "? ").find("200 OK"), std::string::npos);
  const StatusOr<int> second = server_->Listen(address, listen_);
  EXPECT_EQ(second.status().message(),
            "cannot listen on " + address + ": Address already in use");
  server_->Shutdown(0s);
  EXPECT_FALSE(Env::Posix()->Exists(path));
  server_ = nullptr;
}

TEST_F(HttpServerTest, AddressesThatCannotBeListenedOn) {
  Start();
  const std::string taken = "127.0.0.1:" + std::to_string(port_);
  EXPECT_EQ(server_->Listen(taken, listen_).status().message(),
            "cannot listen on " + taken + ": Address already in use");
  EXPECT_FALSE(server_->Listen("unix:/none/there/socket", listen_).ok());
  EXPECT_FALSE(server_->Listen("no host:1", listen_).ok());
}

// The descriptors that are left are for other things.
TEST_F(HttpServerTest, TooManyConnections) {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  close(probe);
  listen_.max_descriptor = probe + 20;
  Start();
  std::vector<std::unique_ptr<Client>> clients;
  int served = 0;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Client>(port_));
    const std::string answer = clients.back()->Ask(Get("/echo/"), "? ");
    if (answer.empty()) break;
    ++served;
  }
  EXPECT_GT(served, 3);
  EXPECT_LT(served, 20);
  clients.clear();
  usleep(50'000);
  Client after(port_);
  EXPECT_NE(after.Ask(Get("/echo/"), "? ").find("200 OK"), std::string::npos);
}

}  // namespace
}  // namespace strata
