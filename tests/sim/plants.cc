#include "tests/sim/plants.h"

namespace strata::sim {
namespace {

Plant OfRaft(std::string name, bool raft::PlantedBugs::*bug) {
  return {std::move(name), [bug](SimulationOptions* options) {
            options->raft_bugs.*bug = true;
          }};
}

Plant OfLog(std::string name, bool PlantedBugs::*bug) {
  return {std::move(name),
          [bug](SimulationOptions* options) { options->wal_bugs.*bug = true; }};
}

Plant OfServer(std::string name, bool ServerBugs::*bug) {
  return {std::move(name),
          [bug](SimulationOptions* options) { options->bugs.*bug = true; }};
}

std::vector<Plant> MakePlants() {
  using R = raft::PlantedBugs;
  using S = ServerBugs;
  return {
      OfRaft("a vote is in no hard state", &R::forget_vote),
      OfRaft("answers before the disk has it", &R::answer_before_persist),
      OfRaft("the leader counts what its own disk lacks",
             &R::commit_own_unpersisted),
      OfRaft("a follower keeps what conflicts", &R::keep_conflicts),
      OfRaft("a vote for an older log", &R::vote_for_older_log),
      OfRaft("two votes in a term", &R::vote_twice),
      OfRaft("reads before the first commit of a term",
             &R::read_before_own_commit),
      OfRaft("an answer to any round confirms a read", &R::any_read_round),
      OfRaft("a snapshot's members are forgotten by raft",
             &R::snapshot_keeps_members),
      OfRaft("a heartbeat commits what the member may not have",
             &R::heartbeat_commits_all),
      OfRaft("learners count", &R::count_learners),
      OfLog("a batch of the log is not synced", &PlantedBugs::skip_file_sync),
      OfLog("acknowledged before the sync", &PlantedBugs::sync_late),
      OfLog("a torn tail is kept", &PlantedBugs::keep_torn_tail),
      OfLog("a new segment's name is not synced",
            &PlantedBugs::skip_rotation_dir_sync),
      OfServer("outputs count as persisted before they are",
               &S::persisted_early),
      OfServer("the hard state is not logged", &S::skip_hard_state),
      OfServer("answered when appended", &S::answer_at_append),
      OfServer("a read does not ask the leader", &S::read_locally),
      OfServer("a read is served before its index is applied",
               &S::read_before_applied),
      OfServer("members never change in raft", &S::conf_change_not_applied),
      OfServer("members change in raft when the entry is appended",
               &S::members_at_append),
      OfServer("a snapshot forgets the members", &S::snapshot_forgets_members),
      OfServer("a snapshot is installed before the log knows",
               &S::install_before_log),
      OfServer("applied before it is persisted here",
               &S::apply_before_persisted),
      OfServer("the applied index is older than the data",
               &S::replay_applied_entries),
      OfServer("the applied index is newer than the data",
               &S::skip_entries_at_restart),
      OfServer("a deposed leader's leases run out", &S::expire_as_follower),
      OfServer("a deposed leader's revocation is passed on",
               &S::forward_revoke),
      OfServer("leases are renewed by whoever thinks that it leads",
               &S::renew_unconfirmed),
      OfServer("watchers skip what came with a snapshot",
               &S::watch_skips_at_install),
      OfServer("proposed again while the fate is unknown", &S::propose_again),
  };
}

}  // namespace

const std::vector<Plant>& Plants() {
  static const auto* const plants = new std::vector<Plant>(MakePlants());
  return *plants;
}

const Plant* FindPlant(std::string_view text) {
  for (const Plant& plant : Plants()) {
    if (plant.name.find(text) != std::string::npos) return &plant;
  }
  return nullptr;
}

}  // namespace strata::sim
