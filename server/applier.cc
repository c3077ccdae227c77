#include "server/applier.h"

#include <algorithm>
#include <utility>

#include "server/command.h"
#include "server/convert.h"

namespace strata {
namespace {

template <typename Result>
StatusOr<ApplyResult> AsApplyResult(StatusOr<Result> result) {
  if (!result.ok()) return result.status();
  return ApplyResult(std::move(*result));
}

}  // namespace

StatusOr<ApplyResult> Applier::Apply(
    const etcdserverpb::InternalRaftRequest& request, LogIndex index,
    Term term) {
  StatusOr<ApplyResult> result = Admit(request);
  store_->EndEntry(index, term);
  return result;
}

StatusOr<ApplyResult> Applier::Admit(
    const etcdserverpb::InternalRaftRequest& request) {
  RETURN_IF_ERROR(alarms_->Refusal(request));
  StatusOr<ApplyResult> result = Dispatch(request);
  if (result.status().code() == Code::kDataLoss) damage_ = result.status();
  return result;
}

StatusOr<ApplyResult> Applier::Dispatch(
    const etcdserverpb::InternalRaftRequest& request) {
  if (request.has_put()) {
    return AsApplyResult(store_->Put(FromProto(request.put())));
  }
  if (request.has_txn()) {
    return AsApplyResult(store_->Txn(FromProto(request.txn())));
  }
  if (request.has_delete_range()) {
    return AsApplyResult(
        store_->DeleteRange(FromProto(request.delete_range())));
  }
  if (request.has_compaction()) {
    const Revision revision(request.compaction().revision());
    RETURN_IF_ERROR(
        store_->Compact(revision, [this, revision] { compacted_(revision); }));
    return ApplyResult(CompactResult{store_->revision()});
  }
  if (request.has_lease_grant()) return GrantLease(request.lease_grant());
  if (request.has_lease_revoke()) {
    return RevokeLease(LeaseId(request.lease_revoke().id()));
  }
  if (request.has_lease_checkpoint()) {
    return CheckpointLeases(request.lease_checkpoint());
  }
  if (request.has_alarm()) {
    return ApplyResult(alarms_->Apply(request.alarm(), store_));
  }
  RETURN_IF_ERROR(cluster_->Apply(request, store_));
  return ApplyResult();
}

StatusOr<ApplyResult> Applier::GrantLease(
    const etcdserverpb::LeaseGrantRequest& request) {
  const LeaseRecord lease{
      .id = LeaseId(request.id()),
      .ttl_seconds = std::max(request.ttl(), min_lease_ttl_seconds_)};
  RETURN_IF_ERROR(store_->GrantLease(lease));
  lessor_->Granted(lease);
  Bump(&counters_->leases_granted);
  counters_->lease_ttl.Add(static_cast<double>(lease.ttl_seconds));
  return ApplyResult(LeaseGrantResult{lease.id, lease.ttl_seconds});
}

StatusOr<ApplyResult> Applier::RevokeLease(LeaseId id) {
  RETURN_IF_ERROR(store_->RevokeLease(id).status());
  lessor_->Revoked(id);
  Bump(&counters_->leases_revoked);
  return ApplyResult();
}

// What is left is for the next leader: this one's clock goes on. The first
// lease that is gone ends it, as in etcd.
StatusOr<ApplyResult> Applier::CheckpointLeases(
    const etcdserverpb::LeaseCheckpointRequest& request) {
  for (const etcdserverpb::LeaseCheckpoint& lease : request.checkpoints()) {
    const LeaseId id(lease.id());
    RETURN_IF_ERROR(store_->CheckpointLease(id, lease.remaining_ttl()));
    if (persist_lease_checkpoints_) {
      store_->PutRecord(Table::kLease, LeaseRecordKey(id),
                        EncodeLeaseRecord(*store_->leases().Find(id)));
    }
    lessor_->Checkpointed(id, lease.remaining_ttl());
  }
  return ApplyResult();
}

Status Applier::Replay(const raft::Entry& entry) {
  Command command;
  RETURN_IF_ERROR(DecodeCommand(entry, &command));
  if (const auto* request =
          std::get_if<etcdserverpb::InternalRaftRequest>(&command)) {
    // What was refused the first time is refused again; damage is not that.
    Admit(*request).status().IgnoreError();
    RETURN_IF_ERROR(damage_);
  } else {
    RETURN_IF_ERROR(cluster_->Apply(command, store_));
  }
  store_->EndEntry(entry.index, entry.term);
  return Status::Ok();
}

}  // namespace strata
