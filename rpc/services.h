#ifndef STRATA_RPC_SERVICES_H_
#define STRATA_RPC_SERVICES_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/loop.h"
#include "base/status.h"
#include "rpc/cluster_service.h"
#include "rpc/encode.h"
#include "rpc/header.h"
#include "rpc/lock_service.h"
#include "rpc/proto/health.pb.h"
#include "rpc/proto/raft_internal.pb.h"
#include "rpc/proto/rpc.pb.h"
#include "rpc/unary.h"
#include "rpc/watch_service.h"
#include "server/node.h"

// The services of the v3 API as a member of one answers them, without a
// transport. Thread-safe: what they share is the node. A request lives on an
// arena, of which a handler takes what it needs.
namespace strata {

struct KvOptions {
  int64_t max_txn_ops = limits::kMaxTxnOps;
};

// Ranges, and transactions of ranges only, are answered from the store (after a
// ReadIndex, if they are to be linearizable): on the caller's thread what is
// surely short, on `worker` what may be long; the rest goes through the log.
class KvService {
 public:
  KvService(Node* node, Loop* worker, KvOptions options)
      : node_(node), worker_(worker), options_(options) {}

  void Range(etcdserverpb::RangeRequest* request, Reply reply);
  void Put(etcdserverpb::PutRequest* request, Reply reply);
  void DeleteRange(etcdserverpb::DeleteRangeRequest* request, Reply reply);
  void Txn(etcdserverpb::TxnRequest* request, Reply reply);
  void Compact(etcdserverpb::CompactionRequest* request, Reply reply);

 private:
  void AnswerRange(const etcdserverpb::RangeRequest& request,
                   const Reply& reply) const;
  void AnswerReadTxn(const etcdserverpb::TxnRequest& request,
                     const Reply& reply) const;
  // Runs `read`, where it may run, when the store may be read.
  void Read(bool serializable, bool may_be_long, std::function<void()> read,
            const Reply& reply);

  Node* const node_;
  Loop* const worker_;
  const KvOptions options_;
};

// `hasher` runs what nobody's reads should wait behind: HashKV reads every
// revision.
class MaintenanceService {
 public:
  MaintenanceService(Node* node, Loop* hasher) : node_(node), hasher_(hasher) {}

  void Status(etcdserverpb::StatusRequest* request, Reply reply);
  void Hash(etcdserverpb::HashRequest* request, Reply reply);
  void HashKV(etcdserverpb::HashKVRequest* request, Reply reply);
  void Alarm(etcdserverpb::AlarmRequest* request, Reply reply);
  void Defragment(etcdserverpb::DefragmentRequest* request, Reply reply);
  void Downgrade(etcdserverpb::DowngradeRequest* request, Reply reply);
  void MoveLeader(etcdserverpb::MoveLeaderRequest* request, Reply reply);

 private:
  Node* const node_;
  Loop* const hasher_;
};

// All of Lease but its KeepAlive, which is a stream.
class LeaseService {
 public:
  explicit LeaseService(Node* node) : node_(node) {}

  void LeaseGrant(etcdserverpb::LeaseGrantRequest* request, Reply reply);
  void LeaseRevoke(etcdserverpb::LeaseRevokeRequest* request, Reply reply);
  void LeaseTimeToLive(etcdserverpb::LeaseTimeToLiveRequest* request,
                       Reply reply);
  void LeaseLeases(etcdserverpb::LeaseLeasesRequest* request, Reply reply);

 private:
  Node* const node_;
};

// A member that answers serves.
class HealthService {
 public:
  void Check(grpc::health::v1::HealthCheckRequest* request, Reply reply);
};

// Where the services work, beside the threads of the transport. All must have
// ended before the node is destroyed, and not before it has stopped.
struct ServiceLoops {
  Loop* worker = nullptr;  // what takes long
  Loop* hasher = nullptr;  // what takes longer: hashes of the whole store
  Loop* copier = nullptr;  // snapshots; waits for their clients
  Loop* claims = nullptr;  // locks and elections
};

// All of the above; outlives what Methods() gave.
class Services {
 public:
  Services(Node* node, const ServiceLoops& loops, KvOptions options,
           WatchServiceOptions watch_options = {},
           ClusterServiceOptions cluster_options = {})
      : node_(node),
        loops_(loops),
        kv_(node, loops.worker, options),
        lease_(node),
        maintenance_(node, loops.hasher),
        cluster_(node, std::move(cluster_options)),
        watch_(node, watch_options),
        lock_({node, node->watch_hub(), loops.claims}),
        election_({node, node->watch_hub(), loops.claims}) {}

  std::vector<UnaryMethod> Methods();
  std::vector<StreamMethod> Streams();

 private:
  Node* const node_;
  const ServiceLoops loops_;
  KvService kv_;
  LeaseService lease_;
  MaintenanceService maintenance_;
  ClusterService cluster_;
  HealthService health_;
  WatchService watch_;
  LockService lock_;
  ElectionService election_;
};

// Why a method that is not among those has no answer, in a Go server's words
// if etcd has no such method either.
Status UnknownMethodError(std::string_view path);

}  // namespace strata

#endif  // STRATA_RPC_SERVICES_H_
