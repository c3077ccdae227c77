#ifndef STRATA_RAFT_PLANTED_BUGS_H_
#define STRATA_RAFT_PLANTED_BUGS_H_

namespace strata::raft {

// Mistakes that the core can be told to make, so that a test can show that the
// invariants, the random test or the simulator find them. For tests only.
struct PlantedBugs {
  bool forget_vote = false;  // the vote is in no hard state
  bool answer_before_persist =
      false;                     // votes and acks do not wait for the disk
  bool commit_old_term = false;  // entries of old terms are counted
  bool commit_own_unpersisted = false;  // the leader counts what its disk lacks
  bool keep_conflicts = false;          // a follower keeps what conflicts
  bool persist_replaced =
      false;  // what was replaced in flight counts as durable
  bool vote_for_older_log = false;  // the log does not matter
  bool vote_twice = false;          // nor whom it voted for
  bool any_read_round = false;      // any heartbeat answer confirms every round
  bool read_before_own_commit = false;  // a new leader reads at once
  bool count_incoming_only = false;     // of a joint configuration
  bool count_learners = false;          // as voters
  bool overlapping_changes =
      false;  // a second change before the first is applied
  bool snapshot_keeps_members =
      false;  // a snapshot's members are not taken over
  bool heartbeat_commits_all =
      false;  // not only what the member is known to have
  bool campaign_before_apply = false;  // with changes committed, not applied
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_PLANTED_BUGS_H_
