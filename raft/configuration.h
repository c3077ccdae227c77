#ifndef STRATA_RAFT_CONFIGURATION_H_
#define STRATA_RAFT_CONFIGURATION_H_

#include <string>

#include "base/status.h"
#include "raft/quorum.h"
#include "raft/types.h"

// Who is a member, and how that may change: one voter at a time (thesis 4.1) or
// through a joint configuration (thesis 4.3). Values; the rules are those of
// etcd's raft, so that equal entries give equal members everywhere.
namespace strata::raft {

// Voters, in one set or while they change in two; learners, which get the log
// but have no vote; and voters of the old set that become learners when it
// goes.
struct Configuration {
  JointVoters voters = {};
  MemberSet learners = {};
  MemberSet learners_next = {};  // of voters.outgoing
  bool auto_leave = false;       // joint: the leader ends it by itself

  static Configuration From(const ConfState& state);
  ConfState ToConfState() const;

  bool joint() const { return !voters.outgoing.empty(); }
  bool Contains(MemberId member) const {
    return voters.Contains(member) || learners.Contains(member);
  }
  // Voters and learners.
  MemberSet Members() const;

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// The members after `change`. FailedPrecondition, and nothing changed, if it
// - would leave no voter,
// - changes more than one voter in one step (kAuto does not, with one change),
// - begins a joint configuration in one, or ends one where there is none.
// A change for member 0 is one that was refused by those who apply it.
StatusOr<Configuration> ChangedBy(const Configuration& now,
                                  const ConfChangeV2& change);

// "voters=(1 2 3) outgoing=(1) learners=(4) next=(5) auto"
std::string ToString(const Configuration& configuration);

}  // namespace strata::raft

#endif  // STRATA_RAFT_CONFIGURATION_H_
