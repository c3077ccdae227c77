#ifndef STRATA_RPC_HTTP_ACCESS_H_
#define STRATA_RPC_HTTP_ACCESS_H_

#include <set>
#include <string>
#include <vector>

#include "rpc/http/handler.h"

namespace strata {

// Who may ask from a browser. Empty, or with "*" in it: all.
struct HttpAccess {
  // --cors: origins that are told that they may.
  std::set<std::string> origins = {};
  // --host-whitelist: the names that a client without TLS may know us by. A
  // page that has its own name lead here is refused by it.
  std::set<std::string> hosts = {};
};

// The routes of a listener, each behind the rules above: their responses carry
// the headers of CORS, OPTIONS is answered, a request for another host is
// refused with 421, and what no route has with 404.
std::vector<HttpRoute> WithAccess(HttpAccess access,
                                  std::vector<HttpRoute> routes);

}  // namespace strata

#endif  // STRATA_RPC_HTTP_ACCESS_H_
