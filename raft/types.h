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
// round. Values, no I/O.
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

// What a member must remember across a restart.
struct HardState {
  Term term = {};
  MemberId vote = {};    // whom it voted for in `term`; 0 nobody
  LogIndex commit = {};  // a lower bound of what is committed

  friend bool operator==(const HardState&, const HardState&) = default;
};

struct ConfState {
  std::vector<MemberId> voters = {};
  std::vector<MemberId> learners = {};
  std::vector<MemberId> voters_outgoing = {};
  std::vector<MemberId> learners_next = {};
  bool auto_leave = false;

  friend bool operator==(const ConfState&, const ConfState&) = default;
};

enum class ConfChangeType : uint64_t {
  kAddNode = 0,
  kRemoveNode = 1,
  kUpdateNode = 2,
  kAddLearnerNode = 3,
};

struct ConfChange {
  uint64_t id = 0;  // of the proposal
  ConfChangeType type = ConfChangeType::kAddNode;
  MemberId node = {};
  std::string context = {};  // JSON of the member, as etcd writes it

  friend bool operator==(const ConfChange&, const ConfChange&) = default;
};

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

}  // namespace strata::raft

#endif  // STRATA_RAFT_TYPES_H_
