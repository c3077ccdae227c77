#ifndef STRATA_RAFT_INVARIANTS_H_
#define STRATA_RAFT_INVARIANTS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "raft/log_storage.h"
#include "raft/raft.h"
#include "raft/types.h"

// What must hold of a cluster after every single step, whatever was lost,
// delayed or crashed: the five properties of the Raft paper (figure 3) and
// those of our own that they rest on. For tests; anyone who can see all members
// at once may call it.
namespace strata::raft {

struct MemberView {
  MemberId id = {};
  const Raft* raft = nullptr;           // null: it is down
  const LogStorage* storage = nullptr;  // what it would have after a crash
};

// Keeps what it has seen, so that each check costs what is new. Every method
// gives "" or what is violated.
class Invariants {
 public:
  // After every step.
  std::string Check(std::span<const MemberView> members);

  // A message that has left a member: nobody votes twice in a term.
  std::string SeeMessage(const Message& message);
  // A member's state machine has this digest after the entry at `index`, by
  // applying it or from a snapshot.
  std::string SeeState(LogIndex index, uint64_t digest);
  // The members after the change at `index` was applied.
  std::string SeeConfiguration(LogIndex index, const ConfState& members);
  // The first members, before any change.
  void StartWith(const ConfState& members);

  // A read must see what anyone had committed when it was asked for.
  LogIndex committed() const;
  // It is served at `index`; `asked` is committed() then.
  static std::string SeeRead(LogIndex asked, LogIndex index);

 private:
  // What a member's log was at the last check.
  struct Mirror {
    const Raft* life = nullptr;
    LogIndex first;  // of terms
    std::vector<Term> terms;
    Term term;
    MemberId vote;
    LogIndex committed;
    RoleName role = RoleName::kFollower;

    LogIndex last() const { return first + terms.size() - 1; }
  };
  struct Known {
    Term before;  // of the entry before it
    uint64_t digest = 0;
  };
  struct Committed {
    Term term;
    Term seen_in;  // the term of the member that committed it
  };

  std::string CheckMember(const MemberView& member);
  std::string CheckTerm(const MemberView& member, const Mirror& mirror);
  std::string CheckLog(const MemberView& member, Mirror* mirror);
  std::string CheckEntry(const Raft& raft, const Entry& entry, Term before);
  std::string CheckOneChange(const Raft& raft, LogIndex change);
  std::string CheckCampaign(const Raft& raft, RoleName before);
  std::string CheckElection(const MemberView& member);
  std::string CheckCompleteness(const Raft& leader, LogIndex from);
  std::string CheckCommit(const MemberView& member, const Mirror& mirror,
                          std::span<const MemberView> members);
  std::string CheckQuorumHas(const Raft& leader, LogIndex index, Term term,
                             std::span<const MemberView> members);
  std::string CheckOrder(const Raft& raft);
  std::string CheckDurable(const MemberView& member);
  std::string CheckLeader(const Raft& raft,
                          std::span<const MemberView> members);
  std::string CheckConfiguration(const Raft& raft);

  std::map<MemberId, Mirror> mirrors_;
  std::map<Term, MemberId> leaders_;
  std::map<std::pair<LogIndex, Term>, Known> entries_;
  std::map<LogIndex, Committed> committed_;
  std::map<LogIndex, uint64_t> applied_;
  std::map<LogIndex, ConfState> configurations_;
  std::map<std::pair<MemberId, Term>, MemberId> votes_;
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_INVARIANTS_H_
