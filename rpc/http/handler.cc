#include "rpc/http/handler.h"

#include <algorithm>
#include <cctype>

namespace strata {
namespace {

bool EqualsInAnyCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return std::tolower(static_cast<unsigned char>(c));
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

class WholeBodyHandler : public HttpHandler {
 public:
  using Serve = std::function<void(HttpRequest, std::string, HttpReply)>;

  WholeBodyHandler(HttpRequest request, std::shared_ptr<HttpSink> sink,
                   const Serve* serve)
      : request_(std::move(request)), sink_(std::move(sink)), serve_(serve) {}

  bool OnBody(std::string_view bytes) override {
    body_.append(bytes);
    return true;
  }
  void OnBodyEnd() override {
    (*serve_)(std::move(request_), std::move(body_),
              [sink = sink_](HttpResponse response) {
                sink->Reply(std::move(response));
              });
  }
  void OnWritable() override {}
  void OnDone() override {}

 private:
  HttpRequest request_;
  std::string body_;
  const std::shared_ptr<HttpSink> sink_;
  const Serve* const serve_;  // the route's, which outlives its exchanges
};

}  // namespace

const std::string* HttpRequest::Find(std::string_view name) const {
  for (const Header& header : headers) {
    if (EqualsInAnyCase(header.first, name)) return &header.second;
  }
  return nullptr;
}

HttpRoute WholeBodyRoute(std::string path, uint64_t max_body_bytes,
                         WholeBodyHandler::Serve serve) {
  auto shared = std::make_shared<WholeBodyHandler::Serve>(std::move(serve));
  return HttpRoute{
      std::move(path), max_body_bytes,
      [shared](HttpRequest request, std::shared_ptr<HttpSink> sink) {
        return std::make_shared<WholeBodyHandler>(
            std::move(request), std::move(sink), shared.get());
      }};
}

const HttpRoute* FindRoute(const std::vector<HttpRoute>& routes,
                           std::string_view path) {
  const HttpRoute* best = nullptr;
  for (const HttpRoute& route : routes) {
    if (route.path == path) return &route;
    if (route.path.ends_with('/') && path.starts_with(route.path) &&
        (best == nullptr || best->path.size() < route.path.size())) {
      best = &route;
    }
  }
  return best;
}

}  // namespace strata
