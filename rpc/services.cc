#include "rpc/services.h"

#include <algorithm>
#include <string>
#include <utility>

#include "rpc/lease_stream.h"
#include "rpc/propose.h"
#include "rpc/range_stream.h"
#include "rpc/snapshot_stream.h"
#include "server/errors.h"

namespace strata {
namespace {

void FillAlarm(const AlarmRecord& alarm, etcdserverpb::AlarmMember* out) {
  out->set_memberid(alarm.member.value());
  out->set_alarm(static_cast<etcdserverpb::AlarmType>(alarm.type));
}

// As etcd prints an alarm: what is zero is left out, each with a blank after
// it.
std::string AlarmText(const AlarmRecord& alarm) {
  std::string text;
  if (alarm.member != MemberId(0)) {
    text += "memberID:" + std::to_string(alarm.member.value()) + " ";
  }
  if (alarm.type != etcdserverpb::NONE) {
    const auto type = static_cast<etcdserverpb::AlarmType>(alarm.type);
    text += "alarm:" + etcdserverpb::AlarmType_Name(type) + " ";
  }
  return text;
}

UnaryMethod ThroughLog(UnaryMethod method) {
  method.through_log = true;
  return method;
}

// A learner serves next to nothing, as clients take it for a member. Of Range
// it serves what is serializable.
bool LearnersServe(std::string_view path) {
  return path == "/etcdserverpb.KV/Range" ||
         path == "/etcdserverpb.Maintenance/Status" ||
         path == "/etcdserverpb.Maintenance/Snapshot" ||
         path == "/grpc.health.v1.Health/Check";
}

void RefuseAsLearner(const Node* node, UnaryMethod* method) {
  if (LearnersServe(method->path)) return;
  method->call = [node, call = std::move(method->call)](
                     std::string_view request, google::protobuf::Arena* arena,
                     Reply reply) {
    if (node->is_learner()) return reply(errors::NotSupportedForLearner());
    call(request, arena, std::move(reply));
  };
}

void RefuseAsLearner(const Node* node, StreamMethod* method) {
  if (LearnersServe(method->path)) return;
  method->open = [node, begin = std::move(method->open)](
                     const std::shared_ptr<StreamSink>& sink) {
    auto handler = begin(sink);
    if (node->is_learner()) sink->Finish(errors::NotSupportedForLearner());
    return handler;
  };
}

}  // namespace

void FillHeader(const ResponseHeader& header,
                etcdserverpb::ResponseHeader* out) {
  out->set_cluster_id(header.cluster_id.value());
  out->set_member_id(header.member_id.value());
  out->set_revision(header.revision.value());
  out->set_raft_term(header.term.value());
}

// A handler owns its reply. NOLINTNEXTLINE(performance-unnecessary-value-param)
void MaintenanceService::Status(etcdserverpb::StatusRequest*, Reply reply) {
  const ReplicatorStatus replication = node_->replication();
  const BackendSizes sizes = node_->store()->Sizes();
  etcdserverpb::StatusResponse response;
  FillHeader(CurrentHeader(node_), response.mutable_header());
  response.set_version(node_->level().ClusterVersion());
  response.set_dbsize(static_cast<int64_t>(sizes.file_bytes));
  response.set_dbsizeinuse(static_cast<int64_t>(sizes.in_use_bytes));
  response.set_leader(replication.leader.value());
  response.set_raftindex(replication.committed.value());
  response.set_raftterm(replication.term.value());
  response.set_islearner(node_->is_learner());
  response.set_raftappliedindex(node_->store()->applied().value());
  if (replication.leader == MemberId(0)) {
    response.add_errors("etcdserver: no leader");
  }
  for (const AlarmRecord& alarm : node_->alarms()) {
    response.add_errors(AlarmText(alarm));
  }
  if (node_->level().StoresStorageVersion()) {
    response.set_storageversion(node_->level().ClusterVersion());
    response.set_dbsizequota(node_->stats().quota_bytes);
    const auto downgrade = node_->downgrade();
    response.mutable_downgradeinfo()->set_enabled(downgrade.enabled);
    response.mutable_downgradeinfo()->set_targetversion(downgrade.target);
  }
  reply(response.SerializeAsString());
}

void MaintenanceService::Alarm(etcdserverpb::AlarmRequest* request,
                               Reply reply) {
  auto* const proposal = NewRaftRequest(request);
  proposal->unsafe_arena_set_allocated_alarm(request);
  Propose<AlarmResult>(
      node_, proposal,
      [level = node_->level()](const ResponseHeader& header,
                               const AlarmResult& result) {
        etcdserverpb::AlarmResponse response;
        if (level.AnswersAlarmHeader()) {
          FillHeader(header, response.mutable_header());
        }
        for (const AlarmRecord& alarm : result.alarms) {
          FillAlarm(alarm, response.add_alarms());
        }
        return response.SerializeAsString();
      },
      std::move(reply));
}

// A handler owns its reply. NOLINTNEXTLINE(performance-unnecessary-value-param)
void MaintenanceService::Hash(etcdserverpb::HashRequest*, Reply reply) {
  hasher_->Post([node = node_, reply = std::move(reply)] {
    const StatusOr<HashResult> result = node->store()->Hash();
    if (!result.ok()) return reply(result.status());
    etcdserverpb::HashResponse response;
    ResponseHeader header = CurrentHeader(node);
    header.revision = Revision(result->revision);
    FillHeader(header, response.mutable_header());
    response.set_hash(result->hash);
    reply(response.SerializeAsString());
  });
}

void MaintenanceService::HashKV(etcdserverpb::HashKVRequest* request,
                                Reply reply) {
  const Revision revision(request->revision());
  hasher_->Post([node = node_, revision, reply = std::move(reply)] {
    const StatusOr<HashKvResult> result = node->store()->HashKv(revision);
    if (!result.ok()) return reply(result.status());
    etcdserverpb::HashKVResponse response;
    ResponseHeader header = CurrentHeader(node);
    header.revision = result->current;
    FillHeader(header, response.mutable_header());
    response.set_hash(result->hash);
    response.set_compact_revision(result->compact_revision.value());
    if (node->level().AnswersHashRevision()) {
      response.set_hash_revision(result->hash_revision.value());
    }
    reply(response.SerializeAsString());
  });
}

// etcd answers with an empty message.
void MaintenanceService::Defragment(etcdserverpb::DefragmentRequest*,
                                    Reply reply) {
  node_->store()->Shrink(
      nullptr, [reply = std::move(reply)](const auto& progress) {
        if (!progress.ok()) return reply(progress.status());
        reply(etcdserverpb::DefragmentResponse().SerializeAsString());
      });
}

// etcd answers with an empty message here too.
void MaintenanceService::MoveLeader(etcdserverpb::MoveLeaderRequest* request,
                                    Reply reply) {
  node_->MoveLeader(
      MemberId(request->targetid()),
      [reply = std::move(reply)](const strata::Status& status) {
        if (!status.ok()) return reply(status);
        reply(etcdserverpb::MoveLeaderResponse().SerializeAsString());
      });
}

void MaintenanceService::Downgrade(etcdserverpb::DowngradeRequest* request,
                                   Reply reply) {
  const auto done = [node = node_,
                     reply = std::move(reply)](const strata::Status& status) {
    if (!status.ok()) return reply(status);
    etcdserverpb::DowngradeResponse response;
    FillHeader(CurrentHeader(node), response.mutable_header());
    response.set_version(node->membership().cluster_version);
    reply(response.SerializeAsString());
  };
  switch (request->action()) {
    case etcdserverpb::DowngradeRequest::VALIDATE:
      return node_->ValidateDowngrade(request->version(), done);
    case etcdserverpb::DowngradeRequest::ENABLE:
      return node_->EnableDowngrade(request->version(), done);
    case etcdserverpb::DowngradeRequest::CANCEL:
      return node_->CancelDowngrade(done);
    default:
      return done(strata::Status(Code::kUnknown, "etcdserver: unknown method"));
  }
}

void HealthService::Check(
    grpc::health::v1::HealthCheckRequest* request,
    Reply reply) {  // NOLINT(performance-unnecessary-value-param): as above
  if (!request->service().empty()) {
    return reply(NotFoundError("unknown service"));
  }
  grpc::health::v1::HealthCheckResponse response;
  response.set_status(grpc::health::v1::HealthCheckResponse::SERVING);
  reply(response.SerializeAsString());
}

std::vector<UnaryMethod> Services::Methods() {
  const std::string kv = "/etcdserverpb.KV/";
  const std::string lease = "/etcdserverpb.Lease/";
  const std::string maintenance = "/etcdserverpb.Maintenance/";
  std::vector<UnaryMethod> methods = {
      MakeUnary(kv + "Range", &kv_, &KvService::Range),
      ThroughLog(MakeUnary(kv + "Put", &kv_, &KvService::Put)),
      ThroughLog(MakeUnary(kv + "DeleteRange", &kv_, &KvService::DeleteRange)),
      ThroughLog(MakeUnary(kv + "Txn", &kv_, &KvService::Txn)),
      ThroughLog(MakeUnary(kv + "Compact", &kv_, &KvService::Compact)),
      ThroughLog(
          MakeUnary(lease + "LeaseGrant", &lease_, &LeaseService::LeaseGrant)),
      ThroughLog(MakeUnary(lease + "LeaseRevoke", &lease_,
                           &LeaseService::LeaseRevoke)),
      MakeUnary(lease + "LeaseTimeToLive", &lease_,
                &LeaseService::LeaseTimeToLive),
      MakeUnary(lease + "LeaseLeases", &lease_, &LeaseService::LeaseLeases),
      MakeUnary(maintenance + "Status", &maintenance_,
                &MaintenanceService::Status),
      MakeUnary(maintenance + "Hash", &maintenance_, &MaintenanceService::Hash),
      MakeUnary(maintenance + "HashKV", &maintenance_,
                &MaintenanceService::HashKV),
      MakeUnary(maintenance + "Alarm", &maintenance_,
                &MaintenanceService::Alarm),
      MakeUnary(maintenance + "Defragment", &maintenance_,
                &MaintenanceService::Defragment),
      MakeUnary(maintenance + "MoveLeader", &maintenance_,
                &MaintenanceService::MoveLeader),
      MakeUnary("/grpc.health.v1.Health/Check", &health_,
                &HealthService::Check),
  };
  if (node_->level() >= Level::V3_5()) {
    methods.push_back(MakeUnary(maintenance + "Downgrade", &maintenance_,
                                &MaintenanceService::Downgrade));
  }
  for (auto& more :
       {cluster_.Methods(), lock_.Methods(), election_.Methods()}) {
    methods.insert(methods.end(), more.begin(), more.end());
  }
  for (UnaryMethod& method : methods) RefuseAsLearner(node_, &method);
  return methods;
}

std::vector<StreamMethod> Services::Streams() {
  std::vector<StreamMethod> streams = {
      watch_.Watch(), RangeStreamMethod(node_, loops_.worker),
      LeaseKeepAliveMethod(node_), SnapshotMethod(node_, loops_.copier)};
  for (auto& more : {lock_.Streams(), election_.Streams()}) {
    streams.insert(streams.end(), more.begin(), more.end());
  }
  for (StreamMethod& stream : streams) RefuseAsLearner(node_, &stream);
  return streams;
}

Status UnknownMethodError(std::string_view path) {
  const std::string_view name = path.substr(path.starts_with('/') ? 1 : 0);
  const size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) {
    return UnimplementedError("malformed method name: \"" + std::string(path) +
                              "\"");
  }
  const std::string service_name(name.substr(0, slash));
  const std::string method_name(name.substr(slash + 1));
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          service_name);
  if (service == nullptr) {
    return UnimplementedError("unknown service " + service_name);
  }
  if (service->FindMethodByName(method_name) == nullptr) {
    return UnimplementedError("unknown method " + method_name +
                              " for service " + service_name);
  }
  return UnimplementedError("strata does not implement " + service_name + "." +
                            method_name + " yet");
}

}  // namespace strata
