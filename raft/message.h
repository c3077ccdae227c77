#ifndef STRATA_RAFT_MESSAGE_H_
#define STRATA_RAFT_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "raft/types.h"

// What members say to each other: etcd's raftpb.Message, number by number, so
// that a member of etcd 3.4 or later can be the other end. Values, no I/O: any
// thread, each on its own.
//
// The paper's calls (figures 2 and 13) are a message each way: AppendEntries is
// kAppend or, empty, kHeartbeat; RequestVote is kVote; InstallSnapshot is
// kSnapshot, answered by kAppendResponse.
namespace strata::raft {

// etcd also has 0, 1, 10, 11 and 12 (hup, beat, unreachable, snapshot status,
// check quorum), which a member only says to itself; ours are method calls.
enum class MessageType : uint64_t {
  kPropose = 2,         // a follower's proposals, forwarded; term 0
  kAppend = 3,          // entries after (log_term, index), and the commit index
  kAppendResponse = 4,  // has all up to index, or reject: look at reject_hint
  kVote = 5,            // index, log_term: the end of the candidate's log
  kVoteResponse = 6,
  kSnapshot = 7,
  kHeartbeat = 8,  // commit; context names a read round
  kHeartbeatResponse = 9,
  kTransferLeader = 13,  // to the leader; `from` is who shall lead (3.10)
  kTimeoutNow = 14,      // to who shall lead: campaign at once (thesis 3.10)
  kReadIndex = 15,  // entries[0].data is the reader's context; term 0 (6.4)
  kReadIndexResponse = 16,  // the same context; index is what to wait for
  kPreVote = 17,  // term is the one that would be campaigned in (thesis 9.6)
  kPreVoteResponse = 18,
};

// "MsgApp", as etcd's logs call it.
std::string_view MessageTypeName(MessageType type);

// In the context of a vote request that a leader has asked for: a voter that
// hears from a leader does not ignore it.
inline constexpr std::string_view kTransferContext = "CampaignTransfer";

// What a field means depends on the type, above; else it is zero.
struct Message {
  MessageType type = MessageType::kPropose;
  MemberId to = {};
  MemberId from = {};
  Term term = {};      // of the sender, or 0
  Term log_term = {};  // of the entry at `index`; of a refusal, of the hint
  LogIndex index = {};
  std::vector<Entry> entries = {};
  LogIndex commit = {};  // what the sender knows to be committed
  std::optional<Snapshot> snapshot = {};  // of kSnapshot only
  bool reject = false;
  // Of a refused append: the logs may agree up to here (paper 5.3, end).
  LogIndex reject_hint = {};
  std::string context = {};

  friend bool operator==(const Message&, const Message&) = default;
};

// The bytes that etcd 3.4 and 3.5 write: a message without a snapshot has an
// empty one. Decode takes that for none; DataLoss if the bytes are no message
// or of a type that does not travel. Fields of later releases are passed over.
std::string EncodeMessage(const Message& message);
StatusOr<Message> DecodeMessage(std::string_view bytes);

}  // namespace strata::raft

#endif  // STRATA_RAFT_MESSAGE_H_
