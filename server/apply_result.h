#ifndef STRATA_SERVER_APPLY_RESULT_H_
#define STRATA_SERVER_APPLY_RESULT_H_

#include <variant>
#include <vector>

#include "base/types.h"
#include "engine/requests.h"

namespace strata {

struct CompactResult {
  Revision revision;  // of the store
};

struct LeaseGrantResult {
  LeaseId id;
  int64_t ttl_seconds = 0;  // as granted: not below the least there is
};

// A member's alarm; `type` is an etcdserverpb::AlarmType.
struct AlarmRecord {
  MemberId member;
  int type = 0;

  friend auto operator<=>(const AlarmRecord&, const AlarmRecord&) = default;
};

struct AlarmResult {
  std::vector<AlarmRecord> alarms;
};

// What applying one log entry gave. std::monostate for entries whose answer
// says nothing more (a lease revoked, a new leader's empty entry, membership).
using ApplyResult =
    std::variant<std::monostate, PutResult, DeleteRangeResult, TxnResult,
                 CompactResult, LeaseGrantResult, AlarmResult>;

}  // namespace strata

#endif  // STRATA_SERVER_APPLY_RESULT_H_
