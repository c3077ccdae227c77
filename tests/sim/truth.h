#ifndef STRATA_TESTS_SIM_TRUTH_H_
#define STRATA_TESTS_SIM_TRUTH_H_

#include <cstdint>
#include <map>
#include <vector>

#include "tests/history/truth.h"
#include "tests/sim/member.h"

namespace strata::sim {

// The truth (tests/history/truth.h), as the stores of simulated members show
// it.
class Truth : public testing::Truth {
 public:
  explicit Truth(SimWorld* world) : world_(world) {}

  // Reads what the member has applied since it was last looked at.
  void Look(Member* member);
  // It was killed: what it shows next time is compared anew.
  void Forget(MemberId member) { cursors_.erase(member); }

 private:
  struct Cursor {
    int64_t next = 0;
    int64_t revision = 0;  // the member's own, which never falls
  };

  SimWorld* const world_;
  std::map<MemberId, Cursor> cursors_;
  std::vector<Shown> shown_;  // of one revision; its memory is used again
};

}  // namespace strata::sim

#endif  // STRATA_TESTS_SIM_TRUTH_H_
