#ifndef STRATA_SERVER_APPLY_RESULT_H_
#define STRATA_SERVER_APPLY_RESULT_H_

#include <variant>

#include "base/types.h"
#include "engine/requests.h"

namespace strata {

struct CompactResult {
  Revision revision;  // of the store
};

// What applying one log entry gave. std::monostate for entries without an
// answer (a new leader's empty entry, membership).
using ApplyResult = std::variant<std::monostate, PutResult, DeleteRangeResult,
                                 TxnResult, CompactResult>;

}  // namespace strata

#endif  // STRATA_SERVER_APPLY_RESULT_H_
