#ifndef STRATA_RAFT_OPTIONS_H_
#define STRATA_RAFT_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/types.h"
#include "raft/message.h"
#include "raft/planted_bugs.h"
#include "raft/read_index.h"
#include "raft/types.h"

// What the core is given and what it gives. Values; a tick is however long the
// shell's is.
namespace strata::raft {

struct RaftOptions {
  MemberId id = {};
  // A follower that hears nothing for this many ticks, and up to as many again
  // by chance, campaigns (paper 5.2, thesis 3.4). As etcd: 10 ticks of 100 ms.
  uint32_t election_ticks = 10;
  uint32_t heartbeat_ticks = 1;  // between a leader's heartbeats
  // Election timeouts and the names of read requests are drawn from it. No two
  // members, and no two lives of one, may have the same: an answer to a read of
  // an earlier life would be taken for one of now.
  uint64_t random_seed = 0;
  // Ask before campaigning whether it could be won, so that a member that was
  // cut off does not depose a leader (thesis 9.6).
  bool pre_vote = true;
  // A leader that has not heard from a quorum for election_ticks steps down,
  // and a member that hears from a leader ignores candidates
  // (thesis 4.2.3, 6.2).
  bool check_quorum = true;
  // Proposals of a follower are refused instead of sent to the leader.
  bool disable_proposal_forwarding = false;
  // Hand out committed entries that this member has not yet persisted itself: a
  // quorum has. Who says so must not let the state on disk get ahead of the
  // log.
  bool apply_unpersisted = false;
  // Bounds, in EntryBytes() (log_storage.h). One entry is always let through.
  uint64_t max_append_bytes = limits::kMaxAppendBytes;  // of one message
  // Sent ahead of the answers, to each member (thesis 10.2.1).
  uint64_t max_inflight_appends = limits::kMaxInflightAppends;
  uint64_t max_inflight_bytes = limits::kMaxInflightAppendBytes;
  // More is not proposed: ResourceExhausted.
  uint64_t max_uncommitted_bytes = limits::kMaxUncommittedBytes;
  // Handed out and not yet Applied().
  uint64_t max_applying_bytes = limits::kMaxApplyingBytes;
  // Of durable entries, in memory for those who keep up.
  uint64_t cache_bytes = limits::kRaftCacheBytes;
  // For tests that show that a test finds them; null: none.
  const PlantedBugs* planted_bugs = nullptr;
};

// What a member remembers from its earlier life; all zero in a new one.
struct RaftStart {
  HardState hard_state = {};
  // The state machine has everything up to here,
  LogIndex applied = {};
  // and these were the members then.
  ConfState conf_state = {};
};

enum class RoleName { kFollower, kPreCandidate, kCandidate, kLeader };
std::string_view ToString(RoleName role);

// What need not be remembered (paper, figure 2: "volatile state").
struct SoftState {
  RoleName role = RoleName::kFollower;
  MemberId leader = {};  // 0: unknown
  Term term = {};

  friend bool operator==(const SoftState&, const SoftState&) = default;
};

// Outputs are numbered from 1 on, in each life of a member.
using OutputSequence = TaggedInt<struct OutputSequenceTag, uint64_t>;

// What there is to do. See Raft::TakeOutput.
struct Output {
  // Counts the outputs that have something to persist; 0 if this has nothing.
  OutputSequence sequence = {};
  // 1. To persist, in this order, before anything of a later output. If
  // `must_sync`, durable before Persisted(sequence); else it may be written
  // without a sync of its own (only the commit index has changed).
  bool must_sync = false;
  std::optional<Snapshot> snapshot = {};  // replaces log and state
  std::optional<HardState> hard_state = {};
  // They replace what the log has from the first one's index on.
  std::vector<Entry> entries = {};
  // 2. To send now, in any order; losing some is no harm. A kSnapshot message
  // has metadata only: see Raft::ReportSnapshot.
  std::vector<Message> messages = {};
  // 3. To apply, after `snapshot` and what earlier outputs had.
  std::vector<Entry> committed = {};
  // 4. Reads that may be served when applied() has reached their index; and
  // reads that got no answer, from a leader that may not exist.
  std::vector<SafeRead> reads = {};
  std::vector<ReadId> lost_reads = {};
  std::optional<SoftState> soft_state = {};  // if it has changed

  bool empty() const;
  // Keeps the memory of the vectors.
  void Clear();
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_OPTIONS_H_
