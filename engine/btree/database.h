#ifndef STRATA_ENGINE_BTREE_DATABASE_H_
#define STRATA_ENGINE_BTREE_DATABASE_H_

#include <memory>
#include <string>

#include "base/logger.h"
#include "engine/backend.h"
#include "engine/btree/page_file.h"
#include "engine/btree_options.h"

namespace strata::btree {

// OpenBtreeBackend(), with bugs planted by a test.
StatusOr<std::unique_ptr<Backend>> OpenDatabase(Env* env,
                                                const std::string& path,
                                                const BtreeOptions& options,
                                                Logger* logger,
                                                const PlantedBugs& bugs);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_DATABASE_H_
