#ifndef STRATA_SERVER_ERRORS_H_
#define STRATA_SERVER_ERRORS_H_

#include "base/status.h"

// Refusals of the node, in etcd's words and codes: clients match on them.
namespace strata::errors {

inline Status TooManyRequests() {
  return ResourceExhaustedError("etcdserver: too many requests");
}
inline Status RequestTooLarge() {
  return InvalidArgumentError("etcdserver: request is too large");
}
inline Status Stopped() {
  return UnavailableError("etcdserver: server stopped");
}

}  // namespace strata::errors

#endif  // STRATA_SERVER_ERRORS_H_
