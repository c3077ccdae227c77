#include "rpc/http/format.h"

#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <ctime>

namespace strata {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string FormatDate(int64_t wall_now) {
  const auto seconds = static_cast<time_t>(wall_now / 1'000'000'000);
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text;
  const size_t size = std::strftime(text.data(), text.size(),
                                    "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text.data(), size);
}

void Append(std::string_view name, std::string_view value, std::string* out) {
  out->append(name).append(": ").append(value).append(kLineEnd);
}

std::string StatusLine(int status) {
  return "HTTP/1.1 " + std::to_string(status) + " " +
         std::string(ReasonOf(status)) + std::string(kLineEnd);
}

bool Is(std::string_view name, std::string_view other) {
  return boost::beast::iequals({name.data(), name.size()},
                               {other.data(), other.size()});
}

// Status line and the handler's headers; learns from them what follows.
std::string BeginHead(int status,
                      const std::vector<HttpRequest::Header>& headers,
                      int64_t wall_now, ResponseForm* form, bool* has_length) {
  std::string out = StatusLine(status);
  *has_length = false;
  for (const auto& [name, value] : headers) {
    if (Is(name, "Connection")) {
      form->close = form->close || Is(value, "close");
      continue;
    }
    if (Is(name, "Content-Length")) *has_length = true;
    Append(name, value, &out);
  }
  Append("Date", FormatDate(wall_now), &out);
  return out;
}

void EndHead(const ResponseForm& form, std::string* out) {
  if (form.close) {
    Append("Connection", "close", out);
  } else if (form.http_1_0) {
    Append("Connection", "keep-alive", out);
  }
  out->append(kLineEnd);
}

}  // namespace

std::string_view ReasonOf(int status) {
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(status)));
  return {reason.data(), reason.size()};
}

bool HasNoBody(int status) {
  return status / 100 == 1 || status == 204 || status == 304;
}

std::string FormatResponse(const HttpResponse& response,
                           const ResponseForm& given, int64_t wall_now) {
  ResponseForm form = given;
  bool has_length = false;
  std::string out = BeginHead(response.status, response.headers, wall_now,
                              &form, &has_length);
  const bool no_body = HasNoBody(response.status);
  if (!has_length && !no_body) {
    Append("Content-Length", std::to_string(response.body.size()), &out);
  }
  EndHead(form, &out);
  if (!no_body && !form.head_only) out += response.body;
  return out;
}

std::string FormatHead(int status,
                       const std::vector<HttpRequest::Header>& headers,
                       int64_t wall_now, ResponseForm* form, bool* chunked) {
  bool has_length = false;
  std::string out = BeginHead(status, headers, wall_now, form, &has_length);
  const bool unbounded = !has_length && !HasNoBody(status);
  *chunked = unbounded && !form->http_1_0;
  if (*chunked) Append("Transfer-Encoding", "chunked", &out);
  if (unbounded && form->http_1_0) form->close = true;
  EndHead(*form, &out);
  if (HasNoBody(status) || form->head_only) *chunked = false;
  return out;
}

std::string FormatChunk(std::string_view bytes) {
  std::array<char, 16> size;
  const auto end = std::to_chars(size.data(), size.data() + size.size(),
                                 bytes.size(), /*base=*/16)
                       .ptr;
  std::string out(size.data(), end);
  out.reserve(out.size() + bytes.size() + 2 * kLineEnd.size());
  return out.append(kLineEnd).append(bytes).append(kLineEnd);
}

}  // namespace strata
