#ifndef STRATA_RPC_HTTP_TEXT_H_
#define STRATA_RPC_HTTP_TEXT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/http/handler.h"

// The small change of HTTP: queries, and the answers a Go server gives in plain
// text.
namespace strata {

// The values of `name` in a query such as "exclude=NOSPACE&verbose", decoded,
// in their order; a name without '=' has the empty value.
std::vector<std::string> QueryValues(std::string_view query,
                                     std::string_view name);

// The header that says that a body is not to be guessed at.
HttpRequest::Header PlainText();
HttpRequest::Header NoSniff();

// A refusal in text, with a newline at its end.
HttpResponse TextError(int status, std::string_view text);
// "404 page not found"
HttpResponse PageNotFound();
// What a request of another method than GET is answered; none for a GET.
std::optional<HttpResponse> RefuseAllButGet(const HttpRequest& request);

}  // namespace strata

#endif  // STRATA_RPC_HTTP_TEXT_H_
