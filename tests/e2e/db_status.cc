// Prints what `etcdctl snapshot status -w json` prints of a db file, computed
// with our own reader, after our own check of the file: db_status FILE
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/env.h"
#include "base/logger.h"
#include "engine/backend.h"
#include "engine/btree_backend.h"

namespace strata {
namespace {

// In the order of their names, as a walk over the file's root meets them.
constexpr Table kTables[] = {
    Table::kAlarm,          Table::kAuth, Table::kAuthRoles, Table::kAuthUsers,
    Table::kCluster,        Table::kKey,  Table::kLease,     Table::kMembers,
    Table::kMembersRemoved, Table::kMeta,
};

struct DbStatus {
  uint32_t hash = 0;
  uint64_t revision = 0;
  uint64_t keys = 0;
};

// Adds one table: the hash is over its name and all keys and values.
Status Add(const View& view, Table table, DbStatus* status) {
  status->hash = crc32c::Extend(status->hash, TableName(table));
  const auto walk = view.NewIterator(table);
  for (walk->SeekToFirst(); walk->Valid(); walk->Next()) {
    status->hash = crc32c::Extend(status->hash, walk->key());
    status->hash = crc32c::Extend(status->hash, walk->value());
    if (table == Table::kKey) status->revision = LoadBig64(walk->key().data());
    ++status->keys;
  }
  return walk->status();
}

Status Print(const std::string& path) {
  BtreeOptions options;
  options.read_only = true;
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Backend> backend,
      OpenBtreeBackend(Env::Posix(), path, options, Logger::Null()));
  bool whole = true;
  RETURN_IF_ERROR(backend->Check([&whole](const std::string& fault) {
    std::cerr << fault << "\n";
    whole = false;
  }));
  if (!whole) return DataLossError(path + ": damaged");
  ASSIGN_OR_RETURN(const std::shared_ptr<const View> view, backend->NewView());
  DbStatus status;
  for (const Table table : kTables) {
    RETURN_IF_ERROR(Add(*view, table, &status));
  }
  std::cout << "{\"hash\":" << status.hash
            << ",\"revision\":" << status.revision
            << ",\"totalKey\":" << status.keys
            << ",\"totalSize\":" << backend->Sizes().file_bytes << "}\n";
  return {};
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: db_status FILE\n";
    return 2;
  }
  const strata::Status status = strata::Print(argv[1]);
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
