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

// Of a cluster that has no leader, or another one than before.
inline Status TimedOut() {
  return UnavailableError("etcdserver: request timed out");
}
inline Status TimedOutLeaderFailed() {
  return UnavailableError(
      "etcdserver: request timed out, possibly due to previous leader failure");
}
inline Status LeaderChanged() {
  return UnavailableError("etcdserver: leader changed");
}
inline Status NoLeader() { return UnavailableError("etcdserver: no leader"); }
inline Status NotLeader() {
  return FailedPreconditionError("etcdserver: not leader");
}
inline Status BadLeaderTransferee() {
  return FailedPreconditionError("etcdserver: bad leader transferee");
}
inline Status TimedOutTransfer() {
  return UnavailableError(
      "etcdserver: request timed out, leader transfer took too long");
}
inline Status NotCapable() {
  return UnavailableError("etcdserver: not capable");
}
inline Status NotSupportedForLearner() {
  return UnavailableError("etcdserver: rpc not supported for learner");
}

// Of a change of members.
inline Status MemberNotFound() {
  return NotFoundError("etcdserver: member not found");
}
inline Status MemberExists() {
  return FailedPreconditionError("etcdserver: member ID already exist");
}
inline Status PeerUrlExists() {
  return FailedPreconditionError("etcdserver: Peer URLs already exists");
}
inline Status NotEnoughStarted() {
  return FailedPreconditionError(
      "etcdserver: re-configuration failed due to not enough started members");
}
inline Status BadMemberUrls() {
  return InvalidArgumentError("etcdserver: given member URLs are invalid");
}
inline Status NotLearner() {
  return FailedPreconditionError(
      "etcdserver: can only promote a learner member");
}
inline Status LearnerNotReady() {
  return FailedPreconditionError(
      "etcdserver: can only promote a learner member which is in sync with "
      "leader");
}
inline Status TooManyLearners() {
  return FailedPreconditionError(
      "etcdserver: too many learner members in cluster");
}
inline Status UnhealthyCluster() {
  return UnavailableError("etcdserver: unhealthy cluster");
}

// Of a downgrade.
inline Status WrongDowngradeFormat() {
  return InvalidArgumentError(
      "etcdserver: wrong downgrade target version format");
}
inline Status InvalidDowngradeTarget() {
  return InvalidArgumentError("etcdserver: invalid downgrade target version");
}
inline Status ClusterVersionNotFound() {
  return FailedPreconditionError(
      "etcdserver: cluster version not found during downgrade");
}
inline Status DowngradeInProgress() {
  return FailedPreconditionError(
      "etcdserver: cluster has a downgrade job in progress");
}
inline Status NoDowngrade() {
  return FailedPreconditionError("etcdserver: no inflight downgrade job");
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
