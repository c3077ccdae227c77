#include "bench/db_engines/engine.h"

namespace strata::bench {

std::vector<std::string> EngineNames() {
  return {"strata-btree", "strata-leveldb", "strata-mem",
          "lmdb",         "leveldb",        "rocksdb"};
}

bool IsDurable(const std::string& name) { return name != "strata-mem"; }

std::unique_ptr<Engine> OpenEngine(const std::string& name,
                                   const EngineOptions& options) {
  if (name.starts_with("strata-")) return OpenStrata(name, options);
  if (name == "lmdb") return OpenLmdb(options);
  if (name == "leveldb") return OpenLevelDb(options);
  if (name == "rocksdb") return OpenRocksDb(options);
  return nullptr;
}

}  // namespace strata::bench
