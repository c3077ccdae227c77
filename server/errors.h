#ifndef STRATA_SERVER_ERRORS_H_
#define STRATA_SERVER_ERRORS_H_

#include "base/status.h"

// Refusals of a request, and of the node, in etcd's words and codes: clients
// match on them.
namespace strata::errors {

inline Status TooManyRequests() {
  return ResourceExhaustedError("etcdserver: too many requests");
}
inline Status RequestTooLarge() {
  return InvalidArgumentError("etcdserver: request is too large");
}
inline Status NoSpace() {
  return ResourceExhaustedError("etcdserver: mvcc: database space exceeded");
}
// By the alarm. Damage met here and now is DataLoss too, but names its place.
inline Status Corrupt() { return DataLossError("etcdserver: corrupt cluster"); }
inline Status Stopped() {
  return UnavailableError("etcdserver: server stopped");
}

// Of the request as it is, before it is proposed.
inline Status EmptyKey() {
  return InvalidArgumentError("etcdserver: key is not provided");
}
inline Status ValueProvided() {
  return InvalidArgumentError("etcdserver: value is provided");
}
inline Status LeaseProvided() {
  return InvalidArgumentError("etcdserver: lease is provided");
}
inline Status TooManyOps() {
  return InvalidArgumentError("etcdserver: too many operations in txn request");
}
inline Status DuplicateKey() {
  return InvalidArgumentError("etcdserver: duplicate key given in txn request");
}
inline Status InvalidSortOption() {
  return InvalidArgumentError("etcdserver: invalid sort option");
}

}  // namespace strata::errors

#endif  // STRATA_SERVER_ERRORS_H_
