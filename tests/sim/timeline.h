#ifndef STRATA_TESTS_SIM_TIMELINE_H_
#define STRATA_TESTS_SIM_TIMELINE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"
#include "raft/message.h"
#include "tests/sim/member.h"
#include "tests/sim/workload.h"

namespace strata::sim {

// What happened in a run, to be looked at: members and their terms, messages,
// what clients asked, faults. It keeps the newest of each kind.
class Timeline {
 public:
  void Message(const raft::Message& message, Time sent, Time received);
  void Operation(const Workload::Operation& operation);
  void Fault(Time time, const std::string& line);
  // To be called often: what the member is now.
  void State(Time time, Member* member);

  // A page that needs no other file.
  std::string Html(const std::string& title) const;

 private:
  struct Sent {
    Time sent;
    Time received;
    MemberId from;
    MemberId to;
    raft::MessageType type;
    uint64_t term;
    std::string text;
  };
  struct Was {
    Time since;
    std::string state;
    uint64_t term = 0;

    bool SameAs(const Was& other) const {
      return state == other.state && term == other.term;
    }
  };
  struct Lane {
    std::string name;
    std::deque<Was> states;
  };

  std::deque<Sent> messages_;
  std::deque<Workload::Operation> operations_;
  std::deque<std::pair<Time, std::string>> faults_;
  std::map<MemberId, Lane> lanes_;
  Time end_{};
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_TIMELINE_H_
