#ifndef STRATA_RPC_LOCK_SERVICE_H_
#define STRATA_RPC_LOCK_SERVICE_H_

#include <memory>
#include <vector>

#include "rpc/claim.h"
#include "rpc/proto/election.pb.h"
#include "rpc/proto/lock.pb.h"
#include "rpc/stream.h"
#include "rpc/unary.h"

namespace strata {

// v3lockpb.Lock: locks that leases hold. A client that goes while it waits lets
// go of its place. Thread-safe.
class LockService {
 public:
  explicit LockService(const ClaimWorld& world) : world_(world) {}

  std::vector<UnaryMethod> Methods();
  std::vector<StreamMethod> Streams();

  void Unlock(v3lockpb::UnlockRequest* request, Reply reply);

 private:
  const ClaimWorld world_;
};

// v3electionpb.Election: the first of those who campaign under a name leads,
// as long as its lease lasts.
class ElectionService {
 public:
  explicit ElectionService(const ClaimWorld& world) : world_(world) {}

  std::vector<UnaryMethod> Methods();
  std::vector<StreamMethod> Streams();

  void Proclaim(v3electionpb::ProclaimRequest* request, Reply reply);
  void Leader(v3electionpb::LeaderRequest* request, Reply reply);
  void Resign(v3electionpb::ResignRequest* request, Reply reply);

 private:
  const ClaimWorld world_;
};

}  // namespace strata

#endif  // STRATA_RPC_LOCK_SERVICE_H_
