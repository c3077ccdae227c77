#ifndef STRATA_WAL_WAL_H_
#define STRATA_WAL_WAL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/limits.h"
#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "raft/types.h"

namespace strata {

struct PlantedBugs;  // wal/planted_bugs.h
struct WalContent;

struct WalOptions {
  // A segment is closed by the first batch that does not fit into it.
  uint64_t segment_bytes = limits::kLogSegmentBytes;
  // No more is written before a sync: what lies further on than this proves
  // that the log before it was synced. A log must not be opened with less than
  // it was written with.
  uint64_t max_batch_bytes = 2 * limits::kMaxLogBatchBytes;
  // Where segments are written with zeros ahead of need; null: they are only
  // allocated, when the current one is full, and a sync takes longer. May run
  // steps after the Wal has gone; must not be the loop of the Wal's own thread.
  Loop* background = nullptr;
  // Zeros written per second in the background; 0 is without bound. They share
  // the disk with the log's own syncs: three times what a busy log of small
  // requests writes keeps them ahead of it and out of its way.
  uint64_t prewrite_bytes_per_second = 32 << 20;
  // Off: nothing survives a power loss (--unsafe-no-fsync).
  bool fsync = true;
  // Asked by Open about what it has read, before it changes anything; an error
  // ends the open. Null: all is accepted.
  std::function<Status(const WalContent&)> accept = nullptr;
  // For the tests that show that a crash test finds them; null: none.
  const PlantedBugs* planted_bugs = nullptr;
};

// Where a reader of the log starts: the state machine has everything up to
// `index`. Index 0 is the beginning.
struct WalSnapshot {
  LogIndex index = {};
  Term term = {};
  // etcd 3.5 and later write it.
  std::optional<raft::ConfState> conf_state = {};

  friend bool operator==(const WalSnapshot&, const WalSnapshot&) = default;
};

// What an open found.
struct WalContent {
  std::string metadata;              // as given to Create
  raft::HardState hard_state;        // the last one
  std::vector<raft::Entry> entries;  // after the start, in index order
  // The snapshot records of the segments read, oldest first.
  std::vector<WalSnapshot> snapshots;
  std::optional<std::string> cut_tail;  // what was cut as torn, for the log
};

// The write-ahead log, in etcd's format (wal/format.md): segments
// `%016x-%016x.wal` (sequence, first index) of length-framed records with a
// rolling CRC-32C.
//
// Bound to one thread; the background loop only prepares segments. Append only
// gathers; Sync makes all that was appended durable with one write and one
// fdatasync: that is the group commit. After a Sync that failed the Wal is
// dead: every call gives the same error (but a full disk, ResourceExhausted, is
// found before anything is written over and leaves the log usable: what was
// appended since the last Sync is dropped as a whole).
//
// Opening tells a torn tail from damage as wal/format.md says: damage is
// DataLoss naming file and offset, and nothing is changed; a torn tail, which
// no one was ever told was durable, is cut. What an open has returned is
// durable, even if it was read from the cache of a disk whose last sync failed.
//
// wal/reader.h walks the records of a log for tools.
class Wal {
 public:
  // Makes a new log in `directory`, which must not have one; atomically, by
  // renaming a finished directory, as etcd does.
  static StatusOr<std::unique_ptr<Wal>> Create(Env* env,
                                               const std::string& directory,
                                               std::string_view metadata,
                                               const WalOptions& options,
                                               Logger* logger);

  // Opens for appending. `start` must be a snapshot record of the log, or index
  // 0. `durable_index` is what the backend holds: a log that ends before it is
  // damaged.
  static StatusOr<std::unique_ptr<Wal>> Open(
      Env* env, const std::string& directory, const WalSnapshot& start,
      LogIndex durable_index, const WalOptions& options, Logger* logger,
      WalContent* content);

  // Whether `directory` holds a log.
  static bool Exists(Env* env, const std::string& directory);

  // The snapshot records of a log, without opening it for writing: the newest
  // `.snap` file named by one of them is where to start. Only those that the
  // last hard state has committed. A fault in the last segment ends the list
  // and is left for Open to tell.
  static StatusOr<std::vector<WalSnapshot>> ReadSnapshots(
      Env* env, const std::string& directory);

  virtual ~Wal() = default;

  // Gathers entries and, if it changed, the hard state. An entry whose index is
  // not one more than the last replaces the log from there on, as raft may do.
  virtual void Append(std::span<const raft::Entry> entries,
                      const raft::HardState& hard_state) = 0;
  // As above for an entry already encoded as raftpb.Entry: no second copy.
  virtual void AppendEncoded(LogIndex index, Term term,
                             std::string_view entry) = 0;
  virtual void AppendHardState(const raft::HardState& hard_state) = 0;
  // Records that a `.snap` file for this point is durable.
  virtual void AppendSnapshot(const WalSnapshot& snapshot) = 0;

  // Bytes gathered since the last Sync or Write.
  virtual uint64_t PendingBytes() const = 0;
  virtual Status Sync() = 0;
  // Hands what was appended to the system and waits for no disk: it survives
  // the end of the process, and a power loss takes it from some record on. It
  // is durable with the next Sync, or when more than max_batch_bytes would lie
  // written and not synced (then this waits for a sync): an open tells a torn
  // tail from damage by that bound.
  virtual Status Write() = 0;

  // Removes segments that hold only entries up to `index`, but keeps the newest
  // `keep`; 0: all. REQUIRES: a snapshot record at or after `index` is durable.
  virtual Status ReleaseTo(LogIndex index, uint64_t keep) = 0;

  struct Stats {
    uint64_t bytes_written = 0;
    uint64_t syncs = 0;
    uint64_t segments = 0;
  };
  virtual Stats GetStats() const = 0;
};

}  // namespace strata

#endif  // STRATA_WAL_WAL_H_
