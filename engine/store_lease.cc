#include "engine/errors.h"
#include "engine/store_impl.h"

// Leases as the log has them. Granting, revoking and what hangs on a lease are
// part of the replicated state; time is not.
namespace strata {

Status StoreImpl::RestoreLeases(const View& view) {
  auto iterator = view.NewIterator(Table::kLease);
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    ASSIGN_OR_RETURN(const LeaseRecord lease,
                     DecodeLeaseRecord(iterator->value()));
    if (iterator->key() != LeaseRecordKey(lease.id)) {
      return DataLossError("the lease table has lease " +
                           std::to_string(lease.id.value()) +
                           " under another name");
    }
    leases_.Grant(lease);
  }
  return iterator->status();
}

Status StoreImpl::CheckLease(LeaseId lease) const {
  if (lease == LeaseId(0) || leases_.Find(lease)) return Status::Ok();
  return errors::LeaseNotFound();
}

Status StoreImpl::GrantLease(const LeaseRecord& lease) {
  if (lease.id == LeaseId(0)) return errors::LeaseNotFound();
  if (lease.ttl_seconds > limits::kMaxLeaseTtlSeconds) {
    return errors::LeaseTtlTooLarge();
  }
  if (leases_.Find(lease.id)) return errors::LeaseExists();
  leases_.Grant(lease);
  PutRecord(Table::kLease, LeaseRecordKey(lease.id), EncodeLeaseRecord(lease));
  return Status::Ok();
}

StatusOr<Revision> StoreImpl::RevokeLease(LeaseId id) {
  RETURN_IF_ERROR(CheckLease(id));
  if (id == LeaseId(0)) return errors::LeaseNotFound();
  OpenEntry();
  for (const std::string& key : leases_.Keys(id)) AddTombstone(key);
  leases_.Remove(id);
  EraseRecord(Table::kLease, LeaseRecordKey(id));
  return EndChanges();
}

Status StoreImpl::CheckpointLease(LeaseId id, int64_t remaining_seconds) {
  std::optional<LeaseRecord> lease = leases_.Find(id);
  if (!lease) return errors::LeaseNotFound();
  leases_.SetRemaining(id, remaining_seconds);
  if (!options_.level.StoresLeaseCheckpoints()) return Status::Ok();
  lease->remaining_seconds = remaining_seconds;
  PutRecord(Table::kLease, LeaseRecordKey(id), EncodeLeaseRecord(*lease));
  return Status::Ok();
}

}  // namespace strata
