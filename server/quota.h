#ifndef STRATA_SERVER_QUOTA_H_
#define STRATA_SERVER_QUOTA_H_

#include <cstdint>

#include "rpc/proto/raft_internal.pb.h"

namespace strata {

// --quota-backend-bytes, when it is 0: etcd's.
inline constexpr int64_t kDefaultQuotaBytes = int64_t{2} << 30;

// The bytes by which a request may make the data grow, as etcd counts them; 0
// for one that adds nothing, and for puts nested in a transaction's own.
uint64_t QuotaCost(const etcdserverpb::InternalRaftRequest& request);

}  // namespace strata

#endif  // STRATA_SERVER_QUOTA_H_
