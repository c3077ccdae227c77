#ifndef STRATA_CMD_UTL_SNAPSHOT_STATUS_H_
#define STRATA_CMD_UTL_SNAPSHOT_STATUS_H_

#include <cstdint>
#include <string>

#include "cmd/utl/context.h"

namespace strata::utl {

// As `etcdutl snapshot status` computes it.
struct SnapshotStatus {
  uint32_t hash = 0;      // of all buckets' names, keys and values
  uint64_t revision = 0;  // the last one in the key table
  uint64_t keys = 0;      // records of all buckets
  uint64_t bytes = 0;     // up to the high water mark
};

// Checks the file first; DataLoss, in etcd's words, if it is damaged or does
// not match the SHA-256 at its end. Unavailable if it is in use.
StatusOr<SnapshotStatus> ReadSnapshotStatus(const Context& context,
                                            const std::string& path);

}  // namespace strata::utl

#endif  // STRATA_CMD_UTL_SNAPSHOT_STATUS_H_
