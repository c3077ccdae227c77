#ifndef STRATA_ENGINE_CHANGES_H_
#define STRATA_ENGINE_CHANGES_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "engine/key_value.h"

namespace strata {

// One change, as stored: `kv` is an encoded KeyValue, of a tombstone with the
// key alone.
struct Change {
  ChangeId id;
  bool tombstone = false;
  std::string_view kv = {};
};

// Which changes to read: those of the revisions in [from, end), whole
// revisions, as many as come before either limit is reached, but at least one
// revision.
struct ChangeRequest {
  Revision from{};
  Revision end{};
  uint64_t max_changes = 1000;
  uint64_t max_bytes = 1 << 20;
  // The reader is the one that HoldChanges speaks for: not refused for a
  // compaction that has to wait for it.
  bool held = false;
};

struct ChangeList {
  std::vector<Change> changes;
  Revision next{};                  // where to go on
  std::shared_ptr<const void> pin;  // keeps what `changes` point to
};

}  // namespace strata

#endif  // STRATA_ENGINE_CHANGES_H_
