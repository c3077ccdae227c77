#ifndef STRATA_RPC_ERRORS_H_
#define STRATA_RPC_ERRORS_H_

#include "base/status.h"

// Refusals of a request before it is proposed, in etcd's words and codes:
// clients match on them. Those of the node are in server/errors.h, of the store
// in engine/errors.h.
namespace strata::errors {

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

#endif  // STRATA_RPC_ERRORS_H_
