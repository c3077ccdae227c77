#include "engine/lease_table.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/wire.h"

namespace strata {
namespace {

enum LeaseField : uint32_t { kId = 1, kTtl = 2, kRemainingTtl = 3 };

void AppendNonZero(std::string* out, uint32_t field, int64_t value) {
  if (value != 0) wire::AppendInt(out, field, value);
}

}  // namespace

std::string LeaseRecordKey(LeaseId id) {
  std::string key(8, '\0');
  StoreBig64(key.data(), static_cast<uint64_t>(id.value()));
  return key;
}

std::string EncodeLeaseRecord(const LeaseRecord& record) {
  std::string bytes;
  AppendNonZero(&bytes, kId, record.id.value());
  AppendNonZero(&bytes, kTtl, record.ttl_seconds);
  AppendNonZero(&bytes, kRemainingTtl, record.remaining_seconds);
  return bytes;
}

StatusOr<LeaseRecord> DecodeLeaseRecord(std::string_view bytes) {
  LeaseRecord record;
  wire::Reader reader(bytes);
  for (wire::Field field; reader.Next(&field);) {
    const auto number = static_cast<int64_t>(field.varint);
    if (field.number == kId) record.id = LeaseId(number);
    if (field.number == kTtl) record.ttl_seconds = number;
    if (field.number == kRemainingTtl) record.remaining_seconds = number;
  }
  if (!reader.ok() || record.id == LeaseId(0)) {
    return DataLossError("a record of the lease table is no lease: " +
                         Printable(bytes));
  }
  return record;
}

void LeaseTable::Grant(const LeaseRecord& record) {
  const std::lock_guard lock(mutex_);
  CHECK(leases_.try_emplace(record.id, Lease{record, {}}).second);
}

void LeaseTable::Remove(LeaseId id) {
  const std::lock_guard lock(mutex_);
  const auto at = leases_.find(id);
  CHECK(at != leases_.end() && at->second.keys.empty());
  leases_.erase(at);
}

void LeaseTable::SetRemaining(LeaseId id, int64_t seconds) {
  const std::lock_guard lock(mutex_);
  const auto at = leases_.find(id);
  if (at != leases_.end()) at->second.record.remaining_seconds = seconds;
}

void LeaseTable::Attach(std::string_view key, LeaseId id) {
  if (id == LeaseId(0) && holders_.empty()) return;
  const auto lease = id == LeaseId(0) ? leases_.end() : leases_.find(id);
  const auto holder = holders_.find(key);
  Lease* const to = lease == leases_.end() ? nullptr : &lease->second;
  Lease* const from = holder == holders_.end() ? nullptr : holder->second;
  if (from == to) return;
  const std::lock_guard lock(mutex_);
  if (from != nullptr) {
    holders_.erase(holder);
    from->keys.erase(from->keys.find(key));
  }
  if (to != nullptr) {
    holders_.emplace(*to->keys.emplace(key).first, to);
  }
}

std::optional<LeaseRecord> LeaseTable::Find(LeaseId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = leases_.find(id);
  if (at == leases_.end()) return std::nullopt;
  return at->second.record;
}

std::vector<LeaseRecord> LeaseTable::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<LeaseRecord> records;
  records.reserve(leases_.size());
  for (const auto& [id, lease] : leases_) records.push_back(lease.record);
  return records;
}

std::vector<std::string> LeaseTable::Keys(LeaseId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = leases_.find(id);
  if (at == leases_.end()) return {};
  return {at->second.keys.begin(), at->second.keys.end()};
}

size_t LeaseTable::size() const {
  const std::lock_guard lock(mutex_);
  return leases_.size();
}

}  // namespace strata
