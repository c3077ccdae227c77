#ifndef STRATA_RAFT_CLUSTER_TESTING_H_
#define STRATA_RAFT_CLUSTER_TESTING_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/invariants.h"
#include "raft/message.h"
#include "raft/options.h"
#include "raft/raft.h"
#include "raft/raft_testing.h"

namespace strata::raft {

struct ClusterOptions {
  uint64_t voters = 3;
  uint64_t learners = 0;
  uint64_t spares = 0;    // they run, but are no members yet
  RaftOptions raft = {};  // id and seed are filled in
  uint64_t seed = 1;
  bool auto_disk = true;       // what is taken is durable at once
  bool auto_apply = true;      // what is committed is applied at once
  bool check = true;           // the invariants, after every step
  bool through_bytes = false;  // messages travel encoded
};

// Members 1, 2, ... in one thread, each with a disk and a state machine in
// memory, and a network that does what it is told. The invariants are checked
// after every step; the first violation is kept.
//
// A member's outputs are taken after each step that it makes. Its messages go
// into the network, what is to be persisted into a queue of the disk, what is
// committed into a queue of the state machine.
class Cluster {
 public:
  struct ToPersist {
    OutputSequence sequence;
    bool must_sync = false;
    std::optional<Snapshot> snapshot;
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;
  };
  struct ToApply {
    std::optional<Snapshot> snapshot;  // else the entry
    Entry entry;
  };
  // The state is a digest of all that was applied.
  struct Machine {
    uint64_t digest = 0;
    LogIndex applied;
    ConfState members;
  };
  struct Node {
    MemberId id;
    MemoryStorage disk;
    std::unique_ptr<Raft> raft;  // null: it is down
    std::deque<ToPersist> to_persist;
    std::deque<ToApply> to_apply;
    Machine machine;
    std::map<ReadId, LogIndex> reads;  // what was committed when it was asked
    uint64_t lives = 0;
  };

  explicit Cluster(const ClusterOptions& options);

  Node& node(MemberId id) { return nodes_[id.value() - 1]; }
  Raft* raft(MemberId id) { return node(id).raft.get(); }
  std::vector<Node>& nodes() { return nodes_; }
  std::vector<Message>& network() { return network_; }
  // Pairs that cannot hear: from, to.
  std::set<std::pair<MemberId, MemberId>>& cuts() { return cuts_; }
  const std::string& violation() const { return violation_; }
  LogIndex committed() const { return invariants_.committed(); }
  // What happened since the last call, a line each.
  std::string TakeStory() { return std::exchange(story_, ""); }
  void Tell(const std::string& line) { story_ += line + "\n"; }
  // The one that leads in the highest term; 0 if nobody does.
  MemberId LeaderNow() const;

  // Steps of a member that is up. What it gives is in the story.
  void Tick(MemberId id);
  void Campaign(MemberId id);
  Status Propose(MemberId id, std::string data);
  Status ProposeConfChange(MemberId id, const ConfChangeV2& change);
  void Read(MemberId id, ReadId read);
  void Transfer(MemberId id, MemberId to);
  // Takes outputs until there is nothing to do but what is not automatic.
  void Pump(MemberId id);
  // The oldest outputs become durable, acknowledged or not yet.
  void Persist(MemberId id, size_t count, bool acknowledge = true);
  void Apply(MemberId id, size_t count);
  // A snapshot of the applied state; the log is let go but for `keep` entries.
  void SaveSnapshot(MemberId id, uint64_t keep);
  // What was not persisted is lost.
  void Crash(MemberId id);
  void Restart(MemberId id);
  // Only before its first step: what its disk holds.
  void Preset(MemberId id, const std::vector<Term>& terms,
              const HardState& hard_state);

  // Steps of the network; `at` is a place in network().
  void Deliver(size_t at);
  void Drop(size_t at);
  void Duplicate(size_t at) { network_.push_back(Message(network_[at])); }
  // Everything is delivered, in order, until nothing is left to do.
  void Settle();

 private:
  void Start(Node* node);
  bool TakeOutput(Node* node);
  void Emit(Node* node, Message message);
  static Snapshot StateNow(const Node& node);
  void AnswerReads(Node* node, const Output& output);
  bool ApplyOne(Node* node);
  void ApplyEntry(Node* node, const Entry& entry);
  void ReportIfSnapshot(const Message& message, bool ok);
  void Check();
  void Violated(const std::string& what);

  const ClusterOptions options_;
  std::vector<Node> nodes_;
  std::vector<Message> network_;
  std::set<std::pair<MemberId, MemberId>> cuts_;
  ConfState first_members_;
  Invariants invariants_;
  Output output_;
  std::string story_;
  std::string violation_;
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_CLUSTER_TESTING_H_
