#ifndef STRATA_SERVER_PLANTED_BUGS_H_
#define STRATA_SERVER_PLANTED_BUGS_H_

namespace strata {

// Mistakes that a node can be told to make, so that a test can show that the
// simulator finds them. For tests only.
struct ServerBugs {
  // Outputs of raft count as persisted before they are.
  bool persisted_early = false;
  // A batch's hard state is left out of the log.
  bool skip_hard_state = false;
  // An answer is given when its entry is appended, before it is committed.
  bool answer_at_append = false;
  // A read does not ask the leader.
  bool read_locally = false;
  // A read is served at once, not when its index is applied.
  bool read_before_applied = false;
  // Members never change in raft.
  bool conf_change_not_applied = false;
  // Members change in raft when the entry is appended here, not when it is
  // applied.
  bool members_at_append = false;
  // A snapshot that goes out names no members but its receiver's voters.
  bool snapshot_forgets_members = false;
  // A snapshot from another member is installed before the log knows of it.
  bool install_before_log = false;
  // The store is written ahead of the log's sync.
  bool apply_before_persisted = false;
  // The applied index is saved apart from the data. After a restart it is older
  // than the data: entries that the store has are applied once more.
  bool replay_applied_entries = false;
  // Or it is newer: entries that the store has not are passed over.
  bool skip_entries_at_restart = false;
  // Leases run out on every member, leader or not.
  bool expire_as_follower = false;
  // A deposed leader's revocation is passed on to the new one.
  bool forward_revoke = false;
  // Renewals are answered without asking whether this is still the leader.
  bool renew_unconfirmed = false;
  // Watchers jump over what came with a snapshot.
  bool watch_skips_at_install = false;
  // A removed member is listened to.
  bool hear_removed = false;
  // What was proposed to a leader that is lost is proposed again, although its
  // fate is not known.
  bool propose_again = false;
};

}  // namespace strata

#endif  // STRATA_SERVER_PLANTED_BUGS_H_
