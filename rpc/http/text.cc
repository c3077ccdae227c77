#include "rpc/http/text.h"

#include <cctype>
#include <charconv>
#include <utility>

namespace strata {
namespace {

// Of "%41+b": "A b". What is not two hexadecimal digits stays as it is.
std::string Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    if (text[i] == '%' && digits.size() == 2 &&
        std::from_chars(digits.data(), digits.data() + 2, byte, 16).ptr ==
            digits.data() + 2) {
      decoded.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      decoded.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return decoded;
}

}  // namespace

std::vector<std::string> QueryValues(std::string_view query,
                                     std::string_view name) {
  std::vector<std::string> values;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const size_t equals = pair.find('=');
    if (Decode(pair.substr(0, equals)) != name) continue;
    values.push_back(equals == std::string_view::npos
                         ? ""
                         : Decode(pair.substr(equals + 1)));
  }
  return values;
}

HttpRequest::Header PlainText() {
  return {"Content-Type", "text/plain; charset=utf-8"};
}

HttpRequest::Header NoSniff() { return {"X-Content-Type-Options", "nosniff"}; }

HttpResponse TextError(int status, std::string_view text) {
  return {.status = status,
          .headers = {PlainText(), NoSniff()},
          .body = std::string(text) + "\n"};
}

HttpResponse PageNotFound() { return TextError(404, "404 page not found"); }

std::optional<HttpResponse> RefuseAllButGet(const HttpRequest& request) {
  if (request.method == "GET") return std::nullopt;
  HttpResponse refusal = TextError(405, "Method Not Allowed");
  refusal.headers.emplace_back("Allow", "GET");
  return refusal;
}

}  // namespace strata
