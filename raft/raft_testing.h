#ifndef STRATA_RAFT_RAFT_TESTING_H_
#define STRATA_RAFT_RAFT_TESTING_H_

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/transcript.h"
#include "raft/log_storage.h"
#include "raft/message.h"
#include "raft/planted_bugs.h"
#include "raft/types.h"

// What tests of raft share: a log in memory, and words for people.
namespace strata::raft {

// What a disk would hold of a raft member, in memory.
class MemoryStorage : public LogStorage {
 public:
  LogIndex FirstIndex() const override { return compacted_ + 1; }
  LogIndex LastIndex() const override {
    return compacted_ + static_cast<uint64_t>(entries_.size());
  }
  std::optional<Term> TermAt(LogIndex index) const override;
  Status Entries(LogIndex low, LogIndex high, uint64_t max_bytes,
                 std::vector<Entry>* entries) const override;
  SnapshotMetadata NewestSnapshot() const override {
    return snapshot_.metadata;
  }

  const Snapshot& snapshot() const { return snapshot_; }
  // They replace what is there from the first one's index on.
  void Append(std::vector<Entry> entries);
  // Replaces log and snapshot.
  void Install(const Snapshot& snapshot);
  // A snapshot of one's own; the log stays.
  void Save(Snapshot snapshot) { snapshot_ = std::move(snapshot); }
  // Lets go of the entries up to `index`. REQUIRES: a snapshot at or after it
  void CompactTo(LogIndex index);

  HardState hard_state;

 private:
  LogIndex compacted_;
  Term compacted_term_;
  std::vector<Entry> entries_;
  Snapshot snapshot_;
};

// The fields of PlantedBugs by name.
struct Plant {
  const char* name;
  bool PlantedBugs::*bug;
};
const std::vector<Plant>& AllPlants();

// "change +1 -2 ~3 =4 transition=explicit": add, remove, learner, update; and
// "leave".
StatusOr<ConfChangeV2> ParseConfChange(const TranscriptCommand& command);

// "5/2 'a'": index/term and data.
std::string Describe(const Entry& entry);
// "1->2 MsgApp t2 after 4/1: 5/2 'a' commit=4".
std::string Describe(const Message& message);

}  // namespace strata::raft

#endif  // STRATA_RAFT_RAFT_TESTING_H_
