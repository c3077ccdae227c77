#include "rpc/gateway/codes.h"

#include <string>

#include "rpc/gateway/json_message.h"
#include "rpc/http/text.h"

namespace strata {
namespace {

std::string CodeText(Code code) {
  return std::to_string(static_cast<int>(code));
}

// As gateways have it since etcd 3.6.
std::string Details(const Status& status) {
  return R"({"code":)" + CodeText(status.code()) + R"(,"message":)" +
         QuoteJson(status.message()) + R"(,"details":[]})";
}

// What Go calls it.
std::string_view HttpStatusText(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 429:
      return "Too Many Requests";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Internal Server Error";
  }
}

HttpResponse JsonError(int status, std::string body) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = std::move(body)};
}

}  // namespace

int HttpStatusOf(Code code, Level level) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kCanceled:
      return 408;
    case Code::kInvalidArgument:
    case Code::kOutOfRange:
      return 400;
    case Code::kFailedPrecondition:
      return level.GatewayAnswersPreconditionFailed() ? 412 : 400;
    case Code::kDeadlineExceeded:
      return 504;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kAborted:
      return 409;
    case Code::kPermissionDenied:
      return 403;
    case Code::kUnauthenticated:
      return 401;
    case Code::kResourceExhausted:
      return 429;
    case Code::kUnimplemented:
      return 501;
    case Code::kUnavailable:
      return 503;
    case Code::kUnknown:
    case Code::kInternal:
    case Code::kDataLoss:
      break;
  }
  return 500;
}

HttpResponse GatewayError(const Status& status, Level level) {
  const int http = HttpStatusOf(status.code(), level);
  if (level.GatewayAnswersDetails()) return JsonError(http, Details(status));
  const std::string text = QuoteJson(status.message());
  return JsonError(http, R"({"error":)" + text + R"(,"message":)" + text +
                             R"(,"code":)" + CodeText(status.code()) + "}");
}

std::string StreamError(const Status& status, Level level) {
  if (level.GatewayAnswersDetails()) {
    return R"({"error":)" + Details(status) + "}";
  }
  const int http = HttpStatusOf(status.code(), level);
  return R"({"error":{"grpc_code":)" + CodeText(status.code()) +
         R"(,"http_code":)" + std::to_string(http) + R"(,"message":)" +
         QuoteJson(status.message()) + R"(,"http_status":")" +
         std::string(HttpStatusText(http)) + R"("}})";
}

HttpResponse NoSuchPath(Level level) {
  if (!level.GatewayAnswersDetails()) return TextError(404, "Not Found");
  return GatewayError(NotFoundError("Not Found"), level);
}

HttpResponse NoSuchMethod(Level level) {
  if (!level.GatewayAnswersDetails()) {
    return TextError(405, "Method Not Allowed");
  }
  return GatewayError(UnimplementedError("Method Not Allowed"), level);
}

}  // namespace strata
