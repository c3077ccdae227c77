#ifndef STRATA_RPC_HTTP_FORMAT_H_
#define STRATA_RPC_HTTP_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "rpc/http/handler.h"

namespace strata {

// What of a request its response depends on.
struct ResponseForm {
  bool http_1_0 = false;
  bool head_only = false;  // the method is HEAD
  bool close = false;      // the connection ends with it
};

// A whole response as bytes.
std::string FormatResponse(const HttpResponse& response,
                           const ResponseForm& form, int64_t wall_now);

// The head of a response in pieces. Sets `chunked`: each piece must be framed;
// if not and there is no length, the connection's end is the body's, which
// `form->close` then says.
std::string FormatHead(int status,
                       const std::vector<HttpRequest::Header>& headers,
                       int64_t wall_now, ResponseForm* form, bool* chunked);

std::string FormatChunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// "Not Found" of 404.
std::string_view ReasonOf(int status);

// Whether a response with this status has no body, whatever it says.
bool HasNoBody(int status);

}  // namespace strata

#endif  // STRATA_RPC_HTTP_FORMAT_H_
