#include "engine/backend.h"

namespace strata {

std::string_view TableName(Table table) {
  switch (table) {
    case Table::kKey:
      return "key";
    case Table::kMeta:
      return "meta";
    case Table::kLease:
      return "lease";
    case Table::kAlarm:
      return "alarm";
    case Table::kCluster:
      return "cluster";
    case Table::kMembers:
      return "members";
    case Table::kMembersRemoved:
      return "members_removed";
    case Table::kAuth:
      return "auth";
    case Table::kAuthUsers:
      return "authUsers";
    case Table::kAuthRoles:
      return "authRoles";
  }
  CHECK(false) << "no table " << static_cast<int>(table);
  return "";
}

void Batch::Put(Table table, std::string_view key, std::string_view value) {
  PutBorrowed(table, key, arena_.Copy(value));
}

void Batch::PutBorrowed(Table table, std::string_view key,
                        std::string_view value) {
  changes_.push_back({table, false, arena_.Copy(key), value});
}

void Batch::Erase(Table table, std::string_view key) {
  changes_.push_back({table, true, arena_.Copy(key), {}});
}

// For backends that keep no free space.
StatusOr<ShrinkProgress> Backend::ShrinkStep(uint64_t /*max_bytes*/) {
  const BackendSizes sizes = Sizes();
  return ShrinkProgress{.done = true,
                        .file_bytes = sizes.file_bytes,
                        .live_bytes = sizes.in_use_bytes};
}

Status CheckBatch(const Batch& batch) {
  for (const Batch::Change& change : batch.changes()) {
    if (change.key.empty()) {
      return InvalidArgumentError(
          "table " + std::string(TableName(change.table)) + ": an empty key");
    }
    if (change.key.size() > kMaxBackendKeyBytes) {
      return InvalidArgumentError(
          "table " + std::string(TableName(change.table)) + ": a key of " +
          std::to_string(change.key.size()) + " bytes");
    }
    if (change.value.size() > kMaxBackendValueBytes) {
      return InvalidArgumentError(
          "table " + std::string(TableName(change.table)) + ": a value of " +
          std::to_string(change.value.size()) + " bytes");
    }
  }
  return Status::Ok();
}

StatusOr<ScrubProgress> Backend::ScrubStep(
    uint64_t /*max_bytes*/,
    const std::function<void(const std::string&)>& /*report*/) {
  return ScrubProgress{.finished = true};
}

}  // namespace strata
