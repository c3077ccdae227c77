#ifndef STRATA_RAFT_PROGRESS_H_
#define STRATA_RAFT_PROGRESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"

// What a leader knows of one other member's log: nextIndex and matchIndex of
// the paper's figure 2, and what is on its way (thesis 10.2.1). Values, each
// used by one thread; no messages here.
namespace strata::raft {

// The appends on their way to a member, oldest first: each is its last index
// and its bytes. Full when either bound is reached; one more is always taken
// below the bounds, however large. Memory grows with use, up to max_count.
class Inflights {
 public:
  Inflights(size_t max_count, uint64_t max_bytes)
      : max_count_(max_count), max_bytes_(max_bytes) {}

  bool Full() const { return count_ >= max_count_ || bytes_ >= max_bytes_; }
  // REQUIRES: !Full(), and `last` is above those before
  void Add(LogIndex last, uint64_t bytes);
  // Those up to `index` have arrived.
  void FreeTo(LogIndex index);
  // Lets one more through, for a member that was silent with all in flight.
  void FreeFirst();
  void Clear();
  size_t count() const { return count_; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Sent {
    LogIndex last;
    uint64_t bytes = 0;
  };
  void Grow();

  size_t max_count_;
  uint64_t max_bytes_;
  std::vector<Sent> ring_;
  size_t begin_ = 0;
  size_t count_ = 0;
  uint64_t bytes_ = 0;
};

enum class ProgressState {
  kProbe,      // where its log parts from ours is not known: one at a time
  kReplicate,  // it follows: appends are sent ahead of its answers
  kSnapshot,   // it needs what our log no longer has: nothing but a snapshot
};

// The state of one member's log, as its leader sees it.
//
//   probe ── an append is accepted ──► replicate
//     ▲ ◄── one is refused, or lost ───────┘
//     │ ◄── the snapshot arrived or failed ── snapshot ◄── from either
class Progress {
 public:
  // The first append will be what follows `last`.
  Progress(LogIndex last, size_t max_inflight, uint64_t max_inflight_bytes)
      : next_(last + 1), inflights_(max_inflight, max_inflight_bytes) {}

  ProgressState state() const { return state_; }
  LogIndex match() const { return match_; }  // it has all up to here
  LogIndex next() const { return next_; }    // what to send next
  LogIndex pending_snapshot() const { return pending_snapshot_; }
  const Inflights& inflights() const { return inflights_; }

  void BecomeProbe();
  void BecomeReplicate();
  void BecomeSnapshot(LogIndex index);

  // Nothing more may be sent for now.
  bool Paused() const;
  // An append up to `last`, of so many bytes of entries, was sent; `entries` is
  // false if it had none.
  void Sent(LogIndex last, uint64_t bytes, bool entries);
  // It has all up to `index`. False if that was known.
  bool Accepted(LogIndex index);
  // It refused the append after `rejected`, and may have what we have up to
  // `hint`. False if the refusal is old news.
  bool Rejected(LogIndex rejected, LogIndex hint);
  // It lives: what was sent without an answer may be lost.
  void HeartbeatAnswered();
  // The snapshot was sent, or not; a heartbeat's answer will wake the probe.
  void SnapshotReported(bool ok);

  // Set by the leader: it wants to hear of this member, entries or not.
  bool must_send = true;
  // The commit index it was last told.
  LogIndex sent_commit = {};
  // Heard of since check-quorum last looked.
  bool recent_active = false;
  // The newest read round it has answered.
  uint64_t read_round = 0;

 private:
  void Enter(ProgressState state);

  ProgressState state_ = ProgressState::kProbe;
  LogIndex match_;
  LogIndex next_;
  LogIndex pending_snapshot_;  // kSnapshot only
  bool probe_sent_ = false;    // kProbe only: the one has gone
  Inflights inflights_;        // kReplicate only
};

// "replicate match=5 next=9 inflight=2", for tests and people.
std::string ToString(const Progress& progress);

}  // namespace strata::raft

#endif  // STRATA_RAFT_PROGRESS_H_
