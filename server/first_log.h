#ifndef STRATA_SERVER_FIRST_LOG_H_
#define STRATA_SERVER_FIRST_LOG_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "raft/types.h"
#include "snapshot/snap_file.h"

namespace strata {

// What a log begins with, and how one member's log becomes that of a cluster of
// its own: in the form of etcd's. Pure functions.

// The log's metadata record: whose log it is.
struct LogOwner {
  MemberId member = {};
  ClusterId cluster = {};
};
std::string EncodeLogOwner(const LogOwner& owner);
// DataLoss if it names no member.
StatusOr<LogOwner> DecodeLogOwner(std::string_view bytes);

// A new cluster's log begins, on every member, with the entries that add them
// all, in the order of their ids; they are committed.
struct FirstLog {
  std::vector<raft::Entry> entries = {};
  raft::HardState hard_state = {};
};
FirstLog MakeFirstLog(std::vector<MemberRecord> members);

// The entries that make `self` the only member, and a voter: those after
// `last`, in `term`. FailedPrecondition if it is no member (it has been
// removed).
StatusOr<std::vector<raft::Entry>> RemoveOthers(const Membership& membership,
                                                MemberId self, LogIndex last,
                                                Term term);

}  // namespace strata

#endif  // STRATA_SERVER_FIRST_LOG_H_
