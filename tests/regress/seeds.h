#ifndef STRATA_TESTS_REGRESS_SEEDS_H_
#define STRATA_TESTS_REGRESS_SEEDS_H_

#include <cstdint>

// Runs of the simulator that have gone wrong once, and what was wrong. They are
// run again by //tests/sim:sim_test. A seed stands for a run only as long as
// the simulator asks chance in the same order: it is kept as one more run.
namespace strata::regress {

struct SimSeed {
  uint64_t seed;
  uint64_t members;
  uint64_t seconds;
  const char* what;
};

inline constexpr SimSeed kSimSeeds[] = {
    {1, 3, 20, "the first run there was"},
    {6, 3, 20,
     "with a planted bug: a commit index was logged before the entry it was "
     "of"},
    {1368, 3, 20,
     "the checker: a late answer to one grant was taken for that to the next, "
     "which had another time to live"},
    {12, 3, 20,
     "a log that could not be written for want of room was tried again with "
     "the newest term before the older ones, and the member stopped"},
    {1, 3, 60,
     "a damaged raft snapshot without which the log was not enough was renamed "
     "by the start that failed for it, so that it could not be mended"},
    {9, 3, 60,
     "the checker: a watcher waited at a learner that was removed while it was "
     "away"},
    {30064, 3, 60,
     "the checker: what only tells a leader of the past that there is a later "
     "term was taken for a promise made in it"},
    {43194, 3, 60,
     "the file of the newest raft snapshot, another member's, was damaged, and "
     "entries missing after the one before it: the start ended in a CHECK"},
    {62924, 3, 60,
     "the network: a learner that had not heard of a new member could not "
     "answer it when that led, as it can in a cluster of processes"},
};

}  // namespace strata::regress

#endif  // STRATA_TESTS_REGRESS_SEEDS_H_
