#include "rpc/http/server.h"

#include <future>
#include <map>
#include <utility>

#include "rpc/http/connection.h"

namespace strata {
namespace {

class HttpServerImpl : public HttpServer {
 public:
  HttpServerImpl(IoThread* thread, std::vector<HttpRoute> routes,
                 const HttpServerOptions& options)
      : shared_{.thread = thread,
                .options = options,
                .routes = std::move(routes)} {}

  StatusOr<int> Listen(const std::string& address,
                       const ListenOptions& options) override {
    ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener,
                     Listener::Open(address, options));
    const int port = listener->port();
    shared_.thread->Run([&] {
      listener->Accept(shared_.thread, [this](int fd, std::string peer) {
        Adopt(NewPlainStream(shared_.thread, fd), {.peer = std::move(peer)},
              /*first_bytes=*/{});
      });
      listeners_.push_back(std::move(listener));
    });
    return port;
  }

  void Adopt(std::unique_ptr<ByteStream> stream, ConnectionInfo info,
             std::string_view first_bytes) override {
    if (stopping_) return;
    const auto connection = std::make_shared<HttpConnection>(
        &shared_, std::move(stream), std::move(info),
        [this](HttpConnection* closed) { Remove(closed); });
    connections_[connection.get()] = connection;
    connection->Start(first_bytes);
  }

  void Shutdown(Duration grace) override {
    std::promise<void> done;
    shared_.thread->Post([&] {
      stopping_ = true;
      listeners_.clear();
      ForEach(&HttpConnection::Drain);
      all_closed_ = [&done] { done.set_value(); };
      end_ = std::make_unique<Deadline>(
          shared_.thread, [this] { ForEach(&HttpConnection::Close); });
      end_->Set(grace);
      CheckAllClosed();
    });
    done.get_future().wait();
    shared_.thread->Run([this] { end_ = nullptr; });
  }

 private:
  void ForEach(void (HttpConnection::*method)()) {
    const auto connections = connections_;  // it may remove some
    for (const auto& [key, connection] : connections) {
      (connection.get()->*method)();
    }
  }

  void Remove(HttpConnection* closed) {
    connections_.erase(closed);
    CheckAllClosed();
  }

  void CheckAllClosed() {
    if (connections_.empty() && all_closed_) {
      std::exchange(all_closed_, nullptr)();
    }
  }

  HttpShared shared_;
  // Bound to the thread.
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::map<HttpConnection*, std::shared_ptr<HttpConnection>> connections_;
  bool stopping_ = false;
  std::function<void()> all_closed_;
  std::unique_ptr<Deadline> end_;
};

}  // namespace

std::unique_ptr<HttpServer> HttpServer::New(IoThread* thread,
                                            std::vector<HttpRoute> routes,
                                            const HttpServerOptions& options) {
  return std::make_unique<HttpServerImpl>(thread, std::move(routes), options);
}

}  // namespace strata
