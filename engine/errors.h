#ifndef STRATA_ENGINE_ERRORS_H_
#define STRATA_ENGINE_ERRORS_H_

#include "base/status.h"

// The refusals of the store, in etcd's words and codes: clients match on them.
namespace strata::errors {

inline Status Compacted() {
  return OutOfRangeError(
      "etcdserver: mvcc: required revision has been compacted");
}
inline Status FutureRevision() {
  return OutOfRangeError(
      "etcdserver: mvcc: required revision is a future revision");
}
inline Status KeyNotFound() {
  return InvalidArgumentError("etcdserver: key not found");
}
inline Status LeaseNotFound() {
  return NotFoundError("etcdserver: requested lease not found");
}
inline Status LeaseExists() {
  return FailedPreconditionError("etcdserver: lease already exists");
}
inline Status LeaseTtlTooLarge() {
  return OutOfRangeError("etcdserver: too large lease TTL");
}

}  // namespace strata::errors

#endif  // STRATA_ENGINE_ERRORS_H_
