#ifndef STRATA_ENGINE_COMPARE_H_
#define STRATA_ENGINE_COMPARE_H_

#include "engine/requests.h"

namespace strata {

// Whether a compare of a transaction holds for one key-value. Of a number that
// is none of an enum's names etcd makes this, and so do we: an unknown target
// compares as equal, an unknown result holds.
bool HoldsFor(const Compare& compare, const KeyValue& kv);

}  // namespace strata

#endif  // STRATA_ENGINE_COMPARE_H_
