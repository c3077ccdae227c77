#ifndef STRATA_SERVER_DESCRIBE_REQUEST_H_
#define STRATA_SERVER_DESCRIBE_REQUEST_H_

#include <string>

#include "rpc/proto/raft_internal.pb.h"
#include "rpc/proto/rpc.pb.h"

namespace strata {

// A request in one short line for the log, much as etcd prints it; of values
// only how long they are.
std::string DescribeRequest(const etcdserverpb::InternalRaftRequest& request);
std::string DescribeRange(const etcdserverpb::RangeRequest& request);

}  // namespace strata

#endif  // STRATA_SERVER_DESCRIBE_REQUEST_H_
