#include "server/quota.h"

#include <algorithm>

namespace strata {
namespace {

// What a key-value and a lease take beside their bytes.
constexpr uint64_t kPutOverhead = 256;
constexpr uint64_t kLeaseCost = 64;

using Ops = google::protobuf::RepeatedPtrField<etcdserverpb::RequestOp>;

uint64_t PutCost(const etcdserverpb::PutRequest& put) {
  return kPutOverhead + put.key().size() + put.value().size();
}

uint64_t BranchCost(const Ops& ops) {
  uint64_t cost = 0;
  for (const etcdserverpb::RequestOp& op : ops) {
    if (op.has_request_put()) cost += PutCost(op.request_put());
  }
  return cost;
}

}  // namespace

uint64_t QuotaCost(const etcdserverpb::InternalRaftRequest& request) {
  if (request.has_put()) return PutCost(request.put());
  if (request.has_lease_grant()) return kLeaseCost;
  if (request.has_txn()) {
    return std::max(BranchCost(request.txn().success()),
                    BranchCost(request.txn().failure()));
  }
  return 0;
}

}  // namespace strata
