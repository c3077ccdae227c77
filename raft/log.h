#ifndef STRATA_RAFT_LOG_H_
#define STRATA_RAFT_LOG_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "raft/log_storage.h"
#include "raft/types.h"

// The replicated log: how entries are appended, matched, replaced and committed
// (paper 5.3, thesis 3.5). Used by one thread.
namespace strata::raft {

// Entries of consecutive indexes, taken off at the front and cut at the back.
class EntryQueue {
 public:
  explicit EntryQueue(LogIndex first) : first_(first) {}

  LogIndex first() const { return first_; }  // of an empty one: the next
  LogIndex end() const { return first_ + size(); }
  uint64_t size() const { return entries_.size() - head_; }
  uint64_t bytes() const { return bytes_; }
  // REQUIRES: first() <= index < end()
  const Entry& at(LogIndex index) const;
  // REQUIRES: entry.index == end()
  void PushBack(Entry entry);
  // REQUIRES: not empty
  void PopFront();
  // Drops those at `index` and after. REQUIRES: first() <= index
  void CutFrom(LogIndex index);
  // Drops all; the next will be `first`.
  void Restart(LogIndex first);

 private:
  LogIndex first_;
  std::vector<Entry> entries_;
  size_t head_ = 0;  // entries_ before it are gone
  uint64_t bytes_ = 0;
};

// The whole log as the core sees it: the caller's storage, and in front of it a
// tail in memory with all that is not yet durable and the newest of what is.
//
//         storage            tail: cache     to be persisted
//   ├──────────────────┼────────────────┼──────────────────────┤
//   first                       stable ─┘                 last ─┘
//          applied ≤ applying ≤ committed ≤ last
//
// Without I/O. What may be sent or counted is for Raft to decide.
class Log {
 public:
  // `cache_bytes` of durable entries stay in memory, so that followers that
  // keep up need no storage.
  Log(const LogStorage* storage, LogIndex committed, LogIndex applied,
      uint64_t cache_bytes);

  LogIndex FirstIndex() const;
  LogIndex last_index() const { return tail_.end() - 1; }
  Term LastTerm() const;
  LogIndex stable() const { return stable_; }  // durable here, all up to it
  LogIndex committed() const { return committed_; }
  LogIndex applying() const { return applying_; }  // handed out to be applied
  LogIndex applied() const { return applied_; }

  // Nothing for what has been compacted, but for the one before FirstIndex(),
  // or is not there yet.
  std::optional<Term> TermAt(LogIndex index) const;
  bool Matches(LogIndex index, Term term) const {
    return TermAt(index) == term;
  }
  // Whether a log that ends so is at least as new as this one (paper 5.4.1).
  bool IsUpToDate(LogIndex last, Term last_term) const;
  // The greatest index up to `index` whose term is at most `term`: nobody who
  // has `term` at `index` agrees with us above it.
  LogIndex GreatestAtMost(LogIndex index, Term term) const;

  // A leader's: at the end. REQUIRES: entry.index == last_index() + 1
  void Append(Entry entry) { tail_.PushBack(std::move(entry)); }
  // A follower's: `entries` follow an entry that Matches(). Those already there
  // stay; from the first that conflicts on, the log is replaced. DataLoss if
  // that was committed, and nothing is changed.
  Status Merge(std::vector<Entry> entries);
  // REQUIRES: index <= last_index()
  void CommitTo(LogIndex index);

  // Entries from `low` on, and errors, as LogStorage::Entries.
  Status Read(LogIndex low, LogIndex high, uint64_t max_bytes,
              std::vector<Entry>* entries) const;

  // The log is to begin after this snapshot (paper, figure 13).
  void Restore(Snapshot snapshot);
  // There is a snapshot that is not yet durable.
  bool restoring() const { return restored_.index != LogIndex(); }

  // What has not yet been given to the caller to persist.
  std::optional<Snapshot> TakeSnapshot();
  void TakeEntries(std::vector<Entry>* entries);
  // All up to `index`, whose entry was of `term` when it was handed out, is
  // durable. What has been replaced since does not count. So does not a
  // snapshot but that of `snapshot_index`.
  void Persisted(LogIndex index, Term term);
  void SnapshotPersisted(LogIndex index);

  // Hands out the next committed entries, as far as `limit`, in pages; none
  // while more than `max_bytes` wait to be applied.
  void TakeCommitted(LogIndex limit, uint64_t max_bytes,
                     std::vector<Entry>* entries);
  // REQUIRES: applied() <= index <= applying()
  void AppliedTo(LogIndex index);

  uint64_t memory_bytes() const { return tail_.bytes(); }

  // For tests that show that a test finds it: keeps what conflicts.
  bool keep_conflicts = false;
  // The same: what was replaced counts as durable.
  bool ignore_replaced = false;

 private:
  void CutFrom(LogIndex index);
  void Trim();

  const LogStorage* const storage_;
  const uint64_t cache_bytes_;
  EntryQueue tail_;
  LogIndex stable_;
  LogIndex handed_;  // given out to be persisted
  LogIndex committed_;
  LogIndex applying_;
  LogIndex applied_;
  SnapshotMetadata restored_;  // until it is durable; index 0: none
  std::optional<Snapshot> to_install_;
  struct Page {
    LogIndex last;
    uint64_t bytes = 0;
  };
  std::deque<Page> pages_;  // handed out, not yet applied
  uint64_t pages_bytes_ = 0;
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_LOG_H_
