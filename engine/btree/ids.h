#ifndef STRATA_ENGINE_BTREE_IDS_H_
#define STRATA_ENGINE_BTREE_IDS_H_

#include <cstdint>

#include "base/types.h"

namespace strata::btree {

using PageId = TaggedInt<struct PageIdTag, uint64_t>;
// A transaction: one more with each commit.
using TxId = TaggedInt<struct TxIdTag, uint64_t>;

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_IDS_H_
