#ifndef STRATA_SNAPSHOT_MEMBER_JSON_H_
#define STRATA_SNAPSHOT_MEMBER_JSON_H_

#include "base/status.h"
#include "snapshot/go_json.h"
#include "snapshot/snap_file.h"

namespace strata {

// The two halves of a member, as the v2 store keeps them: what raft must know
// (peer URLs, learner) and what the member says of itself (name, client URLs).
void AddRaftAttributes(const MemberRecord& member, OrderedJson* json);
void AddAttributes(const MemberRecord& member, OrderedJson* json);

// Takes whatever of both, and the id, stands in `json`; fields that are not
// known are passed over, as Go does.
Status ReadMemberFields(const OrderedJson& json, MemberRecord* member);

}  // namespace strata

#endif  // STRATA_SNAPSHOT_MEMBER_JSON_H_
