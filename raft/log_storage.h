#ifndef STRATA_RAFT_LOG_STORAGE_H_
#define STRATA_RAFT_LOG_STORAGE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "base/status.h"
#include "raft/types.h"

namespace strata::raft {

// What an entry costs in a message or in memory, beside its data.
inline constexpr uint64_t kEntryOverheadBytes = 32;

inline uint64_t EntryBytes(const Entry& entry) {
  return entry.data.size() + kEntryOverheadBytes;
}

// The entries that the core no longer holds: a view of what the caller has made
// durable, or at least written, in answer to the core's outputs. Only read by
// the core, on its thread; it must not change during a call into the core.
//
// It holds the entries [FirstIndex(), LastIndex()] and knows the term of the
// one before them. It must show all of an output before Persisted(sequence) is
// called for it. When it lets go of old entries is the caller's affair, as long
// as what is not applied stays and a snapshot at or after what has gone exists.
class LogStorage {
 public:
  virtual ~LogStorage() = default;

  // 1 of a new log; the one after the snapshot, of a log that begins with one.
  virtual LogIndex FirstIndex() const = 0;
  // FirstIndex() - 1 if it holds none.
  virtual LogIndex LastIndex() const = 0;
  // For indexes [FirstIndex() - 1, LastIndex()]; nothing for others. The term
  // of index 0 is 0.
  virtual std::optional<Term> TermAt(LogIndex index) const = 0;
  // Appends entries from `low` on, below `high`, to *entries: at least one,
  // then as long as EntryBytes() of all stays within `max_bytes`. OutOfRange if
  // `low` has been let go of; another error says "not now" and is not fatal to
  // raft. REQUIRES: low < high <= LastIndex() + 1
  virtual Status Entries(LogIndex low, LogIndex high, uint64_t max_bytes,
                         std::vector<Entry>* entries) const = 0;
  // The newest snapshot that could be sent now; index 0 if there is none. It is
  // not before FirstIndex() - 1.
  virtual SnapshotMetadata NewestSnapshot() const = 0;
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_LOG_STORAGE_H_
