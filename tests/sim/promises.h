#ifndef STRATA_TESTS_SIM_PROMISES_H_
#define STRATA_TESTS_SIM_PROMISES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/types.h"
#include "raft/message.h"
#include "server/replicator.h"

namespace strata::sim {

// What a member has promised by a message that others have got, it must keep
// over every restart: one leader and one vote in a term, its term, and the
// entries that it acknowledged, once they are known to be committed.
class Promises {
 public:
  // A message is delivered. Returns what is wrong with it; empty: nothing.
  std::string Heard(const raft::Message& message);
  // What the member shows now.
  std::string Check(MemberId member, const ReplicatorStatus& status) const;

  // Terms in which somebody led.
  size_t reigns() const { return leaders_.size(); }

 private:
  struct Promised {
    Term term;  // the highest it answered in
    std::map<Term, LogIndex> acknowledged = {};
    // Acknowledged, and committed in that very term.
    LogIndex committed = {};
  };
  void Committed(Promised* promised, Term term);

  std::map<Term, MemberId> leaders_;
  std::map<std::pair<Term, MemberId>, MemberId> votes_;
  std::map<Term, LogIndex> commits_;  // by what leaders say
  std::map<MemberId, Promised> promised_;
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_PROMISES_H_
