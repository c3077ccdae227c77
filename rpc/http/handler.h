#ifndef STRATA_RPC_HTTP_HANDLER_H_
#define STRATA_RPC_HTTP_HANDLER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// An HTTP exchange without a transport: what rpc/stream.h is for calls of gRPC.
// The JSON gateway, the plain paths (/health, /metrics) and the paths for other
// members are handlers; what carries them knows sockets and TLS.
namespace strata {

// The head of a request. A value.
struct HttpRequest {
  using Header = std::pair<std::string, std::string>;

  // The first value of header `name`, in any case; null if there is none.
  const std::string* Find(std::string_view name) const;

  std::string method;  // "GET"
  std::string path;    // "/v3/kv/range": decoded, without the query
  std::string query;   // "serializable=true": as it came
  std::vector<Header> headers;
  std::string peer;  // "127.0.0.1:34567"
  bool tls = false;
  // The common name of the client's verified certificate; empty: none.
  std::string certificate_name = {};
};

struct HttpResponse {
  int status = 200;
  std::vector<HttpRequest::Header> headers = {};
  std::string body = {};
};

// The way out of an exchange. Any thread. Once it is over (OnDone) all of it
// does nothing. It may run the transport: hold no lock that a handler's
// callbacks take unless it is that handler's own.
class HttpSink {
 public:
  virtual ~HttpSink() = default;

  // A response in one piece. Ends the exchange.
  virtual void Reply(HttpResponse response) = 0;

  // Or in many: Begin, any number of Writes, Finish. Without a Content-Length
  // header the body is sent in chunks, each Write at once.
  virtual void Begin(int status, std::vector<HttpRequest::Header> headers) = 0;
  // Whether there is room for one more. A client that does not read leaves
  // none; OnWritable is called after this has been false.
  virtual bool Writable() const = 0;
  virtual void Write(std::string bytes) = 0;
  virtual void Finish() = 0;
  // Instead of Finish: closes the connection, so that the client knows that the
  // body is not whole.
  virtual void Abort() = 0;

  // After OnBody has returned false: has more of the body read.
  virtual void ReadMore() = 0;
};

// One exchange. Its functions are called one at a time, none after OnDone, with
// which the transport lets go of it.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // A piece of the body, borrowed during the call. True: go on to read; false:
  // not until ReadMore.
  virtual bool OnBody(std::string_view bytes) = 0;
  // That was all of the body.
  virtual void OnBodyEnd() = 0;
  // There may be room to write again.
  virtual void OnWritable() = 0;
  // The exchange is over: answered, or the connection is gone.
  virtual void OnDone() = 0;
};

struct HttpRoute {
  std::string path;  // "/health"; one that ends with '/' holds for all below it
  // Longer bodies are refused with 413, before or while they are read.
  uint64_t max_body_bytes = 0;
  // Begins an exchange. Any thread.
  std::function<std::shared_ptr<HttpHandler>(HttpRequest request,
                                             std::shared_ptr<HttpSink> sink)>
      open;
};

// A route whose handler wants the whole body and gives a whole response.
// `reply` is called once, on any thread.
using HttpReply = std::function<void(HttpResponse)>;
HttpRoute WholeBodyRoute(
    std::string path, uint64_t max_body_bytes,
    std::function<void(HttpRequest request, std::string body, HttpReply reply)>
        serve);

// The route for `path`: the one with exactly it, else the longest that holds
// for all below; null if there is none.
const HttpRoute* FindRoute(const std::vector<HttpRoute>& routes,
                           std::string_view path);

}  // namespace strata

#endif  // STRATA_RPC_HTTP_HANDLER_H_
