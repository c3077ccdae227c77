#ifndef STRATA_RAFT_RANDOM_SCHEDULE_TESTING_H_
#define STRATA_RAFT_RANDOM_SCHEDULE_TESTING_H_

#include <cstdint>
#include <deque>
#include <string>

#include "base/random.h"
#include "raft/cluster_testing.h"
#include "raft/planted_bugs.h"

namespace strata::raft {

// A cluster whose seed decides its size, its options, and everything that
// happens to it: messages lost, repeated and out of order, members that crash
// and lose what was not persisted, cuts of the network, changes of members,
// transfers, snapshots, reads. At the end all faults cease, and it must work.
class RandomSchedule {
 public:
  explicit RandomSchedule(uint64_t seed, const PlantedBugs* bugs = nullptr);

  // "" or what is violated, and after which step.
  std::string Run(int steps);

  // The last things that happened, a line each, and how the members are now.
  std::string LastLines() const;

  struct Counts {
    uint64_t committed = 0;
    uint64_t elections = 0;
    uint64_t crashes = 0;
    uint64_t changes = 0;
    uint64_t snapshots = 0;
    uint64_t reads = 0;
  };
  Counts counts() const;

 private:
  void Remember();
  static ClusterOptions Options(uint64_t seed, const PlantedBugs* bugs,
                                Random* random);
  void Step();
  void StepNetwork();
  void StepMember();
  void StepFault();
  void StepAdmin();
  void ChangeMembers(MemberId at);
  void Cut();
  std::string Recover();
  bool Caught(MemberId leader) const;
  void RoundWithoutFaults(int round);
  Cluster::Node* AnyUp();
  Cluster::Node* Any();

  Random random_;
  Cluster cluster_;
  Counts counts_;
  std::deque<std::string> lines_;
  uint64_t next_ = 1;
  // What happens often differs from seed to seed. In percent, of steps or of
  // messages.
  uint64_t network_ = 0;
  uint64_t faults_ = 0;
  uint64_t admin_ = 0;
  uint64_t loss_ = 0;
  uint64_t disorder_ = 0;
  bool apply_by_hand_ = false;
  bool churn_ = false;  // elections, more than crashes and cuts
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_RANDOM_SCHEDULE_TESTING_H_
