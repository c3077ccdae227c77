#ifndef STRATA_RAFT_TYPES_H_
#define STRATA_RAFT_TYPES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"

// The plain values of a replicated log, in the encodings of etcd's raftpb, so
// that a log written here can be read by an etcd member and the other way
// round. Values, no I/O: any thread, each on its own.
//
// Indexes count entries from 1 on, terms reigns from 1 on (paper 5.1, 5.3); 0
// is the one before the first.
namespace strata::raft {

enum class EntryType : uint64_t {
  kNormal = 0,
  kConfChange = 1,    // data is a ConfChange
  kConfChangeV2 = 2,  // data is a ConfChangeV2
};

struct Entry {
  Term term = {};
  LogIndex index = {};
  EntryType type = EntryType::kNormal;
  // Empty for the entry a new leader starts its term with.
  std::string data = {};

  friend bool operator==(const Entry&, const Entry&) = default;
};

// What a member must remember across a restart (paper, figure 2: "persistent
// state"; thesis 3.8). Without the commit index it would only be slower.
struct HardState {
  Term term = {};
  MemberId vote = {};    // whom it voted for in `term`; 0 nobody
  LogIndex commit = {};  // a lower bound of what is committed

  friend bool operator==(const HardState&, const HardState&) = default;
};

// The members, as Configuration has them (configuration.h), each list by id.
// voters_outgoing is empty but while two sets of voters count (thesis 4.3).
struct ConfState {
  std::vector<MemberId> voters = {};
  std::vector<MemberId> learners = {};
  std::vector<MemberId> voters_outgoing = {};
  std::vector<MemberId> learners_next = {};  // of voters_outgoing
  bool auto_leave = false;  // the leader ends the joint configuration by itself

  friend bool operator==(const ConfState&, const ConfState&) = default;
};

enum class ConfChangeType : uint64_t {
  kAddNode = 0,  // a voter; of a learner: it is promoted
  kRemoveNode = 1,
  kUpdateNode = 2,      // nothing here; the context has what is new
  kAddLearnerNode = 3,  // of a voter: it loses its vote
};

// One change of the members (thesis 4.1).
struct ConfChange {
  uint64_t id = 0;  // of the proposal
  ConfChangeType type = ConfChangeType::kAddNode;
  MemberId node = {};
  std::string context = {};  // JSON of the member, as etcd writes it

  friend bool operator==(const ConfChange&, const ConfChange&) = default;
};

// How a ConfChangeV2 gets from the old voters to the new ones.
enum class ConfChangeTransition : uint64_t {
  kAuto = 0,  // in one step if one voter changes, else by kJointImplicit
  kJointImplicit = 1,  // a joint configuration that the leader ends by itself
  kJointExplicit = 2,  // one that ends with an empty ConfChangeV2
};

struct ConfChangeSingle {
  ConfChangeType type = ConfChangeType::kAddNode;
  MemberId node = {};

  friend bool operator==(const ConfChangeSingle&,
                         const ConfChangeSingle&) = default;
};

// Several changes at once (thesis 4.3). Without any, and kAuto, it ends a joint
// configuration.
struct ConfChangeV2 {
  ConfChangeTransition transition = ConfChangeTransition::kAuto;
  std::vector<ConfChangeSingle> changes = {};
  std::string context = {};

  bool LeavesJoint() const {
    return transition == ConfChangeTransition::kAuto && changes.empty();
  }

  friend bool operator==(const ConfChangeV2&, const ConfChangeV2&) = default;
};

// What a snapshot stands for: the state after the entry at `index`, and the
// members then (paper 7, thesis 5.1).
struct SnapshotMetadata {
  ConfState conf_state = {};
  LogIndex index = {};  // 0: there is none
  Term term = {};

  friend bool operator==(const SnapshotMetadata&,
                         const SnapshotMetadata&) = default;
};

struct Snapshot {
  std::string data = {};  // the caller's
  SnapshotMetadata metadata = {};

  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

// The same change in the other form.
ConfChangeV2 AsV2(const ConfChange& change);

// Encode gives the very bytes etcd's generated code gives; Decode is DataLoss
// if the bytes are no such message.
std::string EncodeEntry(const Entry& entry);
void AppendEntry(std::string* out, const Entry& entry);
StatusOr<Entry> DecodeEntry(std::string_view bytes);
std::string EncodeHardState(const HardState& state);
StatusOr<HardState> DecodeHardState(std::string_view bytes);
std::string EncodeConfState(const ConfState& state);
StatusOr<ConfState> DecodeConfState(std::string_view bytes);
std::string EncodeConfChange(const ConfChange& change);
StatusOr<ConfChange> DecodeConfChange(std::string_view bytes);
std::string EncodeConfChangeV2(const ConfChangeV2& change);
StatusOr<ConfChangeV2> DecodeConfChangeV2(std::string_view bytes);
std::string EncodeSnapshot(const Snapshot& snapshot);
StatusOr<Snapshot> DecodeSnapshot(std::string_view bytes);

// The change in an entry of one of the two types; DataLoss if its data are
// none. REQUIRES: entry.type is not kNormal
StatusOr<ConfChangeV2> DecodeConfChangeEntry(const Entry& entry);

}  // namespace strata::raft

#endif  // STRATA_RAFT_TYPES_H_
