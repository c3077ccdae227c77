#include "engine/btree_backend.h"

#include "engine/btree/database.h"

namespace strata {

StatusOr<std::unique_ptr<Backend>> OpenBtreeBackend(Env* env,
                                                    const std::string& path,
                                                    const BtreeOptions& options,
                                                    Logger* logger) {
  return btree::OpenDatabase(env, path, options, logger, {});
}

}  // namespace strata
