#ifndef STRATA_SERVER_RAFT_LOG_H_
#define STRATA_SERVER_RAFT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "raft/log_storage.h"

namespace strata {

// The newest part of a member's log, in memory: what raft reads when it brings
// another member up to date. It has each output's entries from the moment they
// are taken, and lets go of old ones when a snapshot covers them or they are
// too many bytes. Bound to the node's loop.
class RaftLog final : public raft::LogStorage {
 public:
  // The state as it is applied now: what would be sent to a member for whom the
  // log does not go back far enough.
  using Newest = std::function<raft::SnapshotMetadata()>;

  // The log goes on with `entries` after the one at `before`, of `term`.
  RaftLog(LogIndex before, Term term, std::vector<raft::Entry> entries,
          uint64_t max_bytes, Newest newest);

  // They follow the log, or replace it from the first one's index on.
  // REQUIRES: the first one's index is not let go
  void Append(std::vector<raft::Entry> entries);
  // A snapshot has replaced all.
  void Restart(LogIndex index, Term term);
  // Lets go of entries up to `index`.
  void ReleaseTo(LogIndex index);
  // Lets go of the oldest up to `applied`, while they are more than the bytes
  // that may be kept.
  void Bound(LogIndex applied);

  uint64_t bytes() const { return bytes_; }

  LogIndex FirstIndex() const override { return before_ + 1; }
  LogIndex LastIndex() const override { return before_ + entries_.size(); }
  std::optional<Term> TermAt(LogIndex index) const override;
  Status Entries(LogIndex low, LogIndex high, uint64_t max_bytes,
                 std::vector<raft::Entry>* entries) const override;
  raft::SnapshotMetadata NewestSnapshot() const override { return newest_(); }

 private:
  void PopFront();

  const uint64_t max_bytes_;
  const Newest newest_;
  LogIndex before_;
  Term before_term_;
  std::deque<raft::Entry> entries_;
  uint64_t bytes_ = 0;
};

}  // namespace strata

#endif  // STRATA_SERVER_RAFT_LOG_H_
