#ifndef STRATA_RPC_PEER_HTTP_CLIENT_H_
#define STRATA_RPC_PEER_HTTP_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "rpc/http/handler.h"

namespace strata {
class TlsContext;
}

namespace strata::peer {

struct FetchRequest {
  std::string url = {};  // "http://10.0.0.1:2380": scheme, host and port
  std::string method = "GET";
  std::string path = {};  // "/raft/probing"
  std::vector<HttpRequest::Header> headers = {};
  std::string body = {};
  // The body follows through Fetch::Write, in chunks.
  bool streams_body = false;
  // To be connected, and then without a byte from or to the other.
  Duration connect_timeout = std::chrono::seconds(2);
  Duration idle_timeout = std::chrono::seconds(5);
};

// What comes of a request; on the client's thread, one at a time, nothing after
// OnDone.
class FetchHandler {
 public:
  virtual ~FetchHandler() = default;
  // Its body is empty. False: cancels.
  virtual bool OnHead(const HttpResponse& head) = 0;
  // A piece of the body, borrowed. False: cancels.
  virtual bool OnBody(std::string_view bytes) = 0;
  // Ok: the response is whole. NotFound: nobody listens there.
  virtual void OnDone(const Status& status) = 0;
};

// A request under way. Thread-safe.
class Fetch {
 public:
  virtual ~Fetch() = default;
  // OnDone follows, unless the client is stopped.
  virtual void Cancel() = 0;
  // More of a streamed body. Blocks while much of it waits; not on the client's
  // thread.
  virtual Status Write(std::string_view bytes) = 0;
  virtual void EndBody() = 0;
};

// Requests over HTTP/1.1, each on a connection of its own, on one thread.
// Thread-safe.
class HttpClient {
 public:
  // `tls` is for https URLs, and outlives the client; null: there are none.
  static std::unique_ptr<HttpClient> New(
      const std::string& name, TlsContext* tls = nullptr,
      ThreadPriority priority = ThreadPriority::kNormal);
  // Stops. REQUIRES: not on the client's thread
  virtual ~HttpClient() = default;

  virtual std::shared_ptr<Fetch> Start(
      FetchRequest request, std::shared_ptr<FetchHandler> handler) = 0;
  // On the client's thread.
  virtual void Post(std::function<void()> function) = 0;
  virtual void After(Duration delay, std::function<void()> function) = 0;
  virtual Time Now() const = 0;
  // No handler or function is running or will run. Blocks.
  virtual void Stop() = 0;
};

// A request whose response is small: all of it, or what went wrong. `done` is
// called once on the client's thread, or never if that is stopped.
std::shared_ptr<Fetch> FetchWhole(
    HttpClient* client, FetchRequest request,
    std::function<void(StatusOr<HttpResponse>)> done);

// The same, waited for.
StatusOr<HttpResponse> FetchAndWait(HttpClient* client, FetchRequest request);

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_HTTP_CLIENT_H_
