#include "rpc/gateway/gateway.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "rpc/gateway/codec.h"
#include "rpc/gateway/codes.h"
#include "rpc/gateway/json_value.h"
#include "rpc/gateway/paths.h"
#include "rpc/gateway/stream_exchange.h"

namespace strata {
namespace {

constexpr std::string_view kRoot = "/v3/";
constexpr std::string_view kOldRoot = "/v3beta/";
// What a stream's client may send in all.
constexpr uint64_t kMaxStreamBodyBytes = uint64_t{1} << 40;

// A request is so much longer in JSON: base64 of the bytes, names, quotes.
uint64_t MaxBodyBytes(const GatewayOptions& options) {
  return 2 * (options.max_request_bytes + limits::kGrpcOverheadBytes);
}

// One unary call: the request lives on `arena` until it is answered.
class UnaryPlace {
 public:
  UnaryPlace(const GatewayOptions& options, UnaryMethod method)
      : options_(options), method_(std::move(method)), codec_(method_.path) {}

  void Serve(const std::string& body, const HttpReply& reply) const {
    const StatusOr<std::string> request = Read(body);
    if (!request.ok()) {
      return reply(GatewayError(request.status(), options_.level));
    }
    auto arena = std::make_shared<google::protobuf::Arena>();
    method_.call(*request, arena.get(),
                 [this, arena, reply](const StatusOr<std::string>& answer) {
                   reply(Answer(answer));
                 });
  }

 private:
  StatusOr<std::string> Read(const std::string& body) const {
    JsonSplitter values(SIZE_MAX);
    values.Feed(body);
    values.End();
    ASSIGN_OR_RETURN(const std::optional<std::string> value, values.Next());
    ASSIGN_OR_RETURN(std::string request, codec_.Decode(value.value_or("")));
    const uint64_t max =
        options_.max_request_bytes + limits::kGrpcOverheadBytes;
    if (request.size() > max) {
      return ResourceExhaustedError("grpc: received message larger than max (" +
                                    std::to_string(request.size()) + " vs. " +
                                    std::to_string(max) + ")");
    }
    return request;
  }

  HttpResponse Answer(const StatusOr<std::string>& answer) const {
    if (!answer.ok()) return GatewayError(answer.status(), options_.level);
    StatusOr<std::string> text = codec_.Encode(*answer);
    if (!text.ok()) return GatewayError(text.status(), options_.level);
    return {.status = 200,
            .headers = {{"Content-Type", "application/json"},
                        {"Grpc-Metadata-Content-Type", "application/grpc"}},
            .body = std::move(*text)};
  }

  const GatewayOptions options_;
  const UnaryMethod method_;
  const Codec codec_;
};

HttpRoute FixedRoute(std::string path, uint64_t max_body_bytes,
                     HttpResponse (*answer)(Level), Level level) {
  return WholeBodyRoute(
      std::move(path), max_body_bytes,
      [answer, level](const HttpRequest&, const std::string&,
                      const HttpReply& reply) { reply(answer(level)); });
}

// A route that is for POST alone.
HttpRoute PostRoute(HttpRoute route, Level level) {
  auto refusal = std::make_shared<const HttpRoute>(
      FixedRoute(route.path, route.max_body_bytes, NoSuchMethod, level));
  route.open = [served = std::move(route.open), refusal](
                   HttpRequest request, std::shared_ptr<HttpSink> sink) {
    return request.method == "POST"
               ? served(std::move(request), std::move(sink))
               : refusal->open(std::move(request), std::move(sink));
  };
  return route;
}

std::vector<std::string> PathsOf(std::string_view method, Level level) {
  std::vector<std::string> paths;
  for (std::string& path : GatewayPaths(method)) {
    if (method.ends_with("/HashKV") && !level.GatewayServesHashKv()) continue;
    paths.push_back(std::string(kOldRoot) + path.substr(kRoot.size()));
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace

std::vector<HttpRoute> GatewayRoutes(const GatewayOptions& options,
                                     const std::vector<UnaryMethod>& methods,
                                     const std::vector<StreamMethod>& streams) {
  const uint64_t max_body = MaxBodyBytes(options);
  std::vector<HttpRoute> routes;
  for (const UnaryMethod& method : methods) {
    const std::vector<std::string> paths = PathsOf(method.path, options.level);
    if (paths.empty()) continue;
    const auto place = std::make_shared<const UnaryPlace>(options, method);
    for (const std::string& path : paths) {
      HttpRoute route = WholeBodyRoute(
          path, max_body,
          [place](const HttpRequest&, const std::string& body,
                  const HttpReply& reply) { place->Serve(body, reply); });
      routes.push_back(PostRoute(std::move(route), options.level));
    }
  }
  for (const StreamMethod& method : streams) {
    const std::vector<std::string> paths = PathsOf(method.path, options.level);
    if (paths.empty()) continue;
    const auto place = std::make_shared<const StreamPlace>(StreamPlace{
        method, Codec(method.path), options.level, options.loop, max_body});
    for (const std::string& path : paths) {
      HttpRoute route{
          path, kMaxStreamBodyBytes,
          [place](const HttpRequest&, std::shared_ptr<HttpSink> sink) {
            return NewStreamExchange(place, std::move(sink));
          }};
      routes.push_back(PostRoute(std::move(route), options.level));
    }
  }
  for (const std::string_view root : {kRoot, kOldRoot}) {
    routes.push_back(
        FixedRoute(std::string(root), max_body, NoSuchPath, options.level));
  }
  return routes;
}

}  // namespace strata
