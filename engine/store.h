#ifndef STRATA_ENGINE_STORE_H_
#define STRATA_ENGINE_STORE_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/types.h"
#include "engine/backend.h"
#include "engine/changes.h"
#include "engine/lease_table.h"
#include "engine/level.h"
#include "engine/requests.h"
#include "engine/scrub.h"
#include "engine/store_stats.h"

namespace strata {

// When the backend's file is made shorter without being asked, and how.
struct ShrinkOptions {
  // It begins when this share of the file is free, and so many bytes are. From
  // 1 on: never.
  double free_fraction = 0.3;
  uint64_t free_bytes = uint64_t{64} << 20;
  // Written in one step. The flusher pauses after a step for as long as it
  // took, so that at most half of its time goes into this.
  uint64_t step_bytes = uint64_t{1} << 20;
};

// A reader whose state of the backend is no longer the newest.
struct OldReader {
  uint64_t id = 0;  // of the state
  Duration age = {};
  uint64_t pinned_bytes = 0;  // that could be used again but for it
};

struct StoreOptions {
  Level level = Level::V3_5();
  // The tail is frozen and handed to the backend at any of these.
  Duration batch_interval = std::chrono::milliseconds(100);
  uint64_t batch_changes = limits::kTailChanges;
  uint64_t batch_bytes = limits::kTailBytes;
  // Places in the key table that one step of a compaction erases, and the least
  // number of revisions that it works on at a time.
  uint64_t compaction_batch = 500;
  uint64_t compaction_stage = limits::kCompactionStage;
  ScrubOptions scrub = {};
  ShrinkOptions shrink = {};
  // Where the backend is written, compacted, scrubbed and shrunk. Must outlive
  // the Store.
  Loop* flusher = nullptr;
  // Another thread, to open with: reads the key table while the opening thread
  // makes the index. Null: that one does both. Not used later.
  Loop* helper = nullptr;
  // Called before changes are written to the backend: makes the log durable up
  // to them, as the backend must never be ahead of it. Null: it always is. Not
  // called on the apply thread.
  std::function<Status()> before_flush;
  // Called once, on the flusher, when the backend refuses a write for good, be
  // it for the disk or for damage it met: the process must stop rather than go
  // on without it. Null: CHECK.
  std::function<void(const Status&)> on_fatal;
};

// What the backend holds: the state after one log entry, whole. Thread-safe.
// Must be destroyed before its Store.
class StoreImage {
 public:
  virtual ~StoreImage() = default;
  virtual LogIndex applied() const = 0;
  virtual StatusOr<std::vector<std::pair<std::string, std::string>>> List(
      Table table) const = 0;
  // As a bbolt-format file. Blocks the caller, nobody else.
  virtual Status Write(const Backend::Sink& sink) const = 0;
};

// The revision-keyed store: key index, tail of recent changes, backend.
//
// Reads (const methods) may be called from any thread at any time and never
// wait for a write to the disk. Writes come from one thread, the apply thread,
// in log order; each is visible to reads when the call returns. What is written
// becomes durable in the background: after a crash the backend has the state
// after some log entry (applied()), whole, and the log brings back the rest.
class Store {
 public:
  // Reads the index from the backend and goes on with a compaction that a crash
  // interrupted. `logger` must outlive the store.
  static StatusOr<std::unique_ptr<Store>> Open(std::unique_ptr<Backend> backend,
                                               StoreOptions options,
                                               Logger* logger);
  virtual ~Store() = default;  // flushes nothing: see Close

  // --- reads: any thread ---

  virtual StatusOr<RangeResult> Range(const RangeRequest& request) const = 0;
  virtual StatusOr<HashKvResult> HashKv(Revision revision) const = 0;  // 0: now
  virtual Revision revision() const = 0;
  virtual Revision compact_revision() const = 0;
  // The last log entry whose effects reads can see, and the last in the
  // backend.
  virtual LogIndex applied() const = 0;
  virtual LogIndex flushed() const = 0;
  // Bytes of changes not yet in the backend.
  virtual uint64_t tail_bytes() const = 0;
  virtual BackendSizes Sizes() const = 0;
  // What the scrub found; each fault is logged too, with file and offset.
  virtual ScrubStats scrub_stats() const = 0;
  virtual StoreStats stats() const = 0;
  // The sum of all tables, but for what says how far the log was applied. Not
  // for the apply thread: waits until all is in the backend.
  virtual StatusOr<HashResult> Hash() = 0;
  // One record of a small table (members, cluster, ...), tail included.
  virtual StatusOr<std::optional<std::string>> Get(
      Table table, std::string_view key) const = 0;
  // Changes in revision order. OutOfRange if `from` is before the compacted
  // revision, as etcd has it: the changes of that revision itself may be there.
  virtual StatusOr<ChangeList> ReadChanges(
      const ChangeRequest& request) const = 0;
  // The encoded KeyValue that `key` had before `revision`; nullopt if it did
  // not exist. OutOfRange if that has been compacted, unless `held`: the reader
  // is the one that HoldChanges speaks for.
  virtual StatusOr<std::optional<std::string>> ReadBefore(std::string_view key,
                                                          Revision revision,
                                                          bool held) const = 0;
  // All of a small table, in key order, tail included.
  virtual StatusOr<std::vector<std::pair<std::string, std::string>>> List(
      Table table) const = 0;

  // Which leases there are, and the keys of each.
  virtual const LeaseTable& leases() const = 0;
  // Tells which change the one who reads them as they come (the watch hub) has
  // to read next; 0: nobody does. What is removed by a compaction, which is
  // refused to all others at once, is there for it until it has passed. Any
  // thread.
  virtual void HoldChanges(Revision from) = 0;

  // --- writes: the apply thread ---

  virtual StatusOr<PutResult> Put(const PutRequest& request) = 0;
  virtual StatusOr<DeleteRangeResult> DeleteRange(
      const DeleteRangeRequest& request) = 0;
  // DataLoss, of this or of the writes above, may leave the change half made:
  // no write may follow it.
  //
  // All or nothing: what a chosen branch cannot do (a compacted or future
  // revision, a missing lease, ...) is found before anything is changed. All
  // changes get one revision, and subs in the order of the operations.
  virtual StatusOr<TxnResult> Txn(const TxnRequest& request) = 0;
  // Makes all before `revision` unreadable at once; the space is freed in
  // bounded steps on the flusher. `done`, which may be null, is called there
  // when it is physically finished.
  virtual Status Compact(Revision revision, std::function<void()> done) = 0;
  // In etcd's order of refusals: no id, too long, exists.
  virtual Status GrantLease(const LeaseRecord& lease) = 0;
  // Deletes the lease and, in key order and under one revision, its keys.
  // Returns the revision after it.
  virtual StatusOr<Revision> RevokeLease(LeaseId id) = 0;
  // Records what is left of a lease's time, for the next leader.
  virtual Status CheckpointLease(LeaseId id, int64_t remaining_seconds) = 0;
  virtual void PutRecord(Table table, std::string_view key,
                         std::string_view value) = 0;
  virtual void EraseRecord(Table table, std::string_view key) = 0;
  // Ends the entry: what was written since the last call belongs to it and goes
  // into the backend together with `index`.
  virtual void EndEntry(LogIndex index, Term term) = 0;

  // Has the tail written to the backend and synced; `done` is called on the
  // flusher. Any thread.
  virtual void Flush(std::function<void(Status)> done) = 0;
  // A consistent image of all that is applied now, tail included, as a
  // bbolt-format file. Blocks the caller, nobody else. Any thread.
  virtual Status WriteSnapshot(const Backend::Sink& sink) = 0;

  // What has been flushed. Holds space, so give it back soon. Any thread.
  virtual StatusOr<std::shared_ptr<const StoreImage>> Image() const = 0;

  // Makes the backend's file shorter, in bounded steps on the flusher with
  // pauses between them, while reads and writes go on. `progress`, which may be
  // null, is called after each step; once it returns false the request is
  // called off (Canceled). `done` is called with what was reached, or with
  // Aborted if for 30 s no step could be made because of a reader, which it
  // names. Both on the flusher. Requests share their steps. Any thread.
  using ShrinkWatch = std::function<bool(const ShrinkProgress&)>;
  using ShrinkDone = std::function<void(const StatusOr<ShrinkProgress>&)>;
  virtual void Shrink(ShrinkWatch progress, ShrinkDone done) = 0;
  // Readers of states that were replaced at least `age` ago, as of the last
  // flush; the oldest first. Any thread.
  virtual std::vector<OldReader> OldReaders(Duration age) const = 0;

  // Writes the tail and stops the background work. Blocks. No call after it.
  virtual Status Close() = 0;
  // Stops the background work and writes nothing more: what is here has been
  // replaced. What waits is told. Reads go on. The apply thread.
  virtual void Abandon() = 0;
};

}  // namespace strata

#endif  // STRATA_ENGINE_STORE_H_
