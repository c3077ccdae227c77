#include "rpc/http/access.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "rpc/http/text.h"

namespace strata {
namespace {

using Headers = std::vector<HttpRequest::Header>;

bool AllowsAll(const std::set<std::string>& names) {
  return names.empty() || names.contains("*");
}

// "localhost" of "localhost:2379", "::1" of "[::1]:2379".
std::string HostName(std::string_view host) {
  if (host.starts_with('[')) {
    return std::string(host.substr(1, host.find(']') - 1));
  }
  return std::string(host.substr(0, host.find(':')));
}

bool AllowsHost(const HttpAccess& access, const HttpRequest& request) {
  if (request.tls || AllowsAll(access.hosts)) return true;
  const std::string* const host = request.Find("Host");
  return host != nullptr && access.hosts.contains(HostName(*host));
}

HttpResponse RefuseHost(const HttpRequest& request) {
  const std::string* const host = request.Find("Host");
  return {.status = 421,
          .headers = {PlainText(), NoSniff()},
          .body = "This server is not known by the name \"" +
                  (host == nullptr ? "" : HostName(*host)) +
                  "\".\nName it in --host-whitelist, or use TLS: a web page "
                  "could otherwise have its own\nname lead here "
                  "(CVE-2018-5702).\n"};
}

// The headers for the origin of a request; none if it is not among those
// allowed.
Headers CorsHeaders(const HttpAccess& access, const HttpRequest& request) {
  std::string origin = "*";
  if (!AllowsAll(access.origins)) {
    const std::string* const own = request.Find("Origin");
    if (own == nullptr || !access.origins.contains(*own)) return {};
    origin = *own;
  }
  return {
      {"Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"},
      {"Access-Control-Allow-Origin", std::move(origin)},
      {"Access-Control-Allow-Headers", "accept, content-type, authorization"}};
}

// Adds headers to whatever is answered.
class HeaderSink : public HttpSink {
 public:
  HeaderSink(Headers headers, std::shared_ptr<HttpSink> sink)
      : headers_(std::move(headers)), sink_(std::move(sink)) {}

  void Reply(HttpResponse response) override {
    Add(&response.headers);
    sink_->Reply(std::move(response));
  }
  void Begin(int status, Headers headers) override {
    Add(&headers);
    sink_->Begin(status, std::move(headers));
  }
  bool Writable() const override { return sink_->Writable(); }
  void Write(std::string bytes) override { sink_->Write(std::move(bytes)); }
  void Finish() override { sink_->Finish(); }
  void Abort() override { sink_->Abort(); }
  void ReadMore() override { sink_->ReadMore(); }

 private:
  void Add(Headers* headers) const {
    headers->insert(headers->begin(), headers_.begin(), headers_.end());
  }

  const Headers headers_;
  const std::shared_ptr<HttpSink> sink_;
};

// Answers the same, whatever was asked; the body is passed over.
class FixedHandler : public HttpHandler {
 public:
  FixedHandler(HttpResponse response, std::shared_ptr<HttpSink> sink)
      : response_(std::move(response)), sink_(std::move(sink)) {}

  bool OnBody(std::string_view) override { return true; }
  void OnBodyEnd() override { sink_->Reply(std::move(response_)); }
  void OnWritable() override {}
  void OnDone() override {}

 private:
  HttpResponse response_;
  const std::shared_ptr<HttpSink> sink_;
};

}  // namespace

std::vector<HttpRoute> WithAccess(HttpAccess access,
                                  std::vector<HttpRoute> routes) {
  if (FindRoute(routes, "/") == nullptr) {
    routes.push_back(
        WholeBodyRoute("/", /*max_body_bytes=*/1 << 20,
                       [](const HttpRequest&, const std::string&,
                          const HttpReply& reply) { reply(PageNotFound()); }));
  }
  const auto shared = std::make_shared<const HttpAccess>(std::move(access));
  for (HttpRoute& route : routes) {
    route.open =
        [shared, served = std::move(route.open)](
            HttpRequest request,
            std::shared_ptr<HttpSink> sink) -> std::shared_ptr<HttpHandler> {
      if (!AllowsHost(*shared, request)) {
        return std::make_shared<FixedHandler>(RefuseHost(request),
                                              std::move(sink));
      }
      auto with_headers = std::make_shared<HeaderSink>(
          CorsHeaders(*shared, request), std::move(sink));
      if (request.method == "OPTIONS") {
        return std::make_shared<FixedHandler>(HttpResponse{},
                                              std::move(with_headers));
      }
      return served(std::move(request), std::move(with_headers));
    };
  }
  return routes;
}

}  // namespace strata
