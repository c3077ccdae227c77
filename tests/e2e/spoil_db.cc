// Changes the last byte of a key's newest value in a db file, as no server
// would; sums and all else are as they should be: spoil_db FILE KEY
#include <iostream>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/logger.h"
#include "engine/backend.h"
#include "engine/btree_backend.h"
#include "engine/key_value.h"

namespace strata {
namespace {

Status Spoil(const std::string& path, const std::string& wanted) {
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Backend> backend,
      OpenBtreeBackend(Env::Posix(), path, BtreeOptions(), Logger::Null()));
  std::string revision;
  std::string value;
  {
    ASSIGN_OR_RETURN(const auto view, backend->NewView());
    const auto walk = view->NewIterator(Table::kKey);
    for (walk->SeekToFirst(); walk->Valid(); walk->Next()) {
      ASSIGN_OR_RETURN(const auto kv, DecodeKeyValue(walk->value()));
      if (kv.key != wanted || kv.value.empty()) continue;
      revision = walk->key();
      value = walk->value();
      value[static_cast<size_t>(kv.value.data() - walk->value().data()) +
            kv.value.size() - 1] ^= 1;
    }
    RETURN_IF_ERROR(walk->status());
  }
  if (revision.empty()) return NotFoundError("no value of " + wanted);
  Batch batch;
  batch.Put(Table::kKey, revision, value);
  RETURN_IF_ERROR(backend->Write(std::move(batch)));
  return backend->Sync();
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: spoil_db FILE KEY\n";
    return 2;
  }
  const strata::Status status = strata::Spoil(argv[1], argv[2]);
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
