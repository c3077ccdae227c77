#ifndef STRATA_ENGINE_STORE_IMPL_H_
#define STRATA_ENGINE_STORE_IMPL_H_

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/key_index.h"
#include "engine/rw_lock.h"
#include "engine/store.h"
#include "engine/store_counters.h"
#include "engine/tail.h"

namespace strata {

class RestoreBatch;

// The Store. Three kinds of thread meet here:
//
//   readers       take mutex_ shared, for a bounded number of keys at a time
//   apply thread  takes mutex_ alone for each change of the index; a change is
//                 seen once revision_ has its revision
//   work          on the flusher (or in Close and WriteSnapshot): writes runs,
//                 compacts, scrubs, shrinks; one at a time, under
//                 anchor_->mutex
//
// Locks are taken in this order: anchor_->mutex, tail_mutex_, mutex_.
//
// Files: store_open.cc, store.cc (changes, small tables), store_lease.cc,
// store_range.cc (reads), store_changes.cc (reads by revision), store_txn.cc,
// store_work.cc (runs to the backend), store_compact.cc, store_scrub.cc,
// store_shrink.cc, store_hash.cc, store_stats.cc.
class StoreImpl final : public Store {
 public:
  StoreImpl(std::unique_ptr<Backend> backend, StoreOptions options,
            Logger* logger);
  ~StoreImpl() override;

  // Reads all from the backend. Once, before any other call.
  Status Restore();

  StatusOr<RangeResult> Range(const RangeRequest& request) const override;
  StatusOr<HashKvResult> HashKv(Revision revision) const override;
  Revision revision() const override {
    return Revision(revision_.load(std::memory_order_acquire));
  }
  Revision compact_revision() const override;
  LogIndex applied() const override {
    return LogIndex(applied_.load(std::memory_order_acquire));
  }
  LogIndex flushed() const override {
    return LogIndex(flushed_.load(std::memory_order_acquire));
  }
  uint64_t tail_bytes() const override;
  BackendSizes Sizes() const override { return backend_->Sizes(); }
  ScrubStats scrub_stats() const override;
  StoreStats stats() const override;
  StatusOr<HashResult> Hash() override;
  StatusOr<std::optional<std::string>> Get(Table table,
                                           std::string_view key) const override;
  StatusOr<std::vector<std::pair<std::string, std::string>>> List(
      Table table) const override;

  const LeaseTable& leases() const override { return leases_; }
  StatusOr<ChangeList> ReadChanges(const ChangeRequest& request) const override;
  StatusOr<std::optional<std::string>> ReadBefore(std::string_view key,
                                                  Revision revision,
                                                  bool held) const override;
  void HoldChanges(Revision from) override {
    held_from_.store(from.value(), std::memory_order_release);
  }

  StatusOr<PutResult> Put(const PutRequest& request) override;
  StatusOr<DeleteRangeResult> DeleteRange(
      const DeleteRangeRequest& request) override;
  StatusOr<TxnResult> Txn(const TxnRequest& request) override;
  Status Compact(Revision revision, std::function<void()> done) override;
  Status GrantLease(const LeaseRecord& lease) override;
  StatusOr<Revision> RevokeLease(LeaseId id) override;
  Status CheckpointLease(LeaseId id, int64_t remaining_seconds) override;
  void PutRecord(Table table, std::string_view key,
                 std::string_view value) override;
  void EraseRecord(Table table, std::string_view key) override;
  void EndEntry(LogIndex index, Term term) override;

  void Flush(std::function<void(Status)> done) override;
  Status WriteSnapshot(const Backend::Sink& sink) override;
  StatusOr<std::shared_ptr<const StoreImage>> Image() const override;
  void Shrink(ShrinkWatch progress, ShrinkDone done) override;
  std::vector<OldReader> OldReaders(Duration age) const override;
  Status Close() override;
  void Abandon() override;

  // Aborts if what must hold does not. For tests.
  void Check() const;

 private:
  using Callback = std::function<void()>;

  // Work that was posted finds the store through it, or finds it gone.
  struct Anchor {
    std::mutex mutex;
    StoreImpl* store;  // guarded by mutex
  };
  struct FlushWaiter {
    uint64_t sequence;
    std::function<void(Status)> done;
  };
  // What is not yet begun may still be taken over by a later one.
  struct Compaction {
    Revision at;
    uint64_t sequence = 0;  // of the run that has its watermark
    std::vector<Callback> done;

    // Of the stage that is being worked on: up to this revision.
    Revision stage;
    std::string resume;  // the index is compacted before this key
    bool index_done = false;
    std::vector<RemovedChange> removed;
    size_t erased = 0;  // of `removed`
    std::optional<Time> began = std::nullopt;
  };
  // How much a reader of changes has got.
  struct ChangeSize {
    uint64_t changes = 0;
    uint64_t bytes = 0;

    void Add(std::string_view value) {
      ++changes;
      bytes += value.size();
    }
    bool Reaches(const ChangeRequest& request) const {
      return changes >= request.max_changes || bytes >= request.max_bytes;
    }
  };
  struct ShrinkRequest {
    ShrinkWatch progress = nullptr;
    ShrinkDone done = nullptr;
    Time began = {};
    bool called_off = false;  // the flusher's
  };
  struct Reader {
    Time since = {};
    Time report_at = {};
    uint64_t pinned_bytes = 0;
  };
  // Which keys a range takes, in which direction.
  struct Selection;

  std::shared_ptr<const ReadState> state() const;

  // --- store_open.cc ---
  Status RestoreIndex(const View& view);
  void RestoreRows(const RestoreBatch& batch);
  void RestoreRevisions(Revision finished, Revision scheduled);

  // --- store.cc ---
  void OpenEntry();
  // The revision that reads of the apply thread see, its own changes included.
  Revision ReadRevision() const;
  ChangeId NextChange();
  Revision EndChanges();
  StatusOr<PutResult> DoPut(const PutRequest& request);
  StatusOr<DeleteRangeResult> DoDeleteRange(const DeleteRangeRequest& request);
  void AddPut(std::string_view key, std::string_view value, LeaseId lease);
  void AddTombstone(std::string_view key);
  std::vector<std::string_view> LiveKeys(const KeyRange& range) const;

  // --- store_lease.cc ---
  Status RestoreLeases(const View& view);
  // Refuses a lease that is not there; 0 is none.
  Status CheckLease(LeaseId lease) const;

  // --- store_range.cc ---
  StatusOr<RangeResult> RangeAsOf(const RangeRequest& request,
                                  std::optional<Revision> current) const;
  StatusOr<RangeResult> RangeOne(const RangeRequest& request,
                                 std::optional<Revision> current) const;
  StatusOr<RangeResult> RangeMany(const RangeRequest& request,
                                  std::optional<Revision> current) const;
  Status Pin(const RangeRequest& request, std::optional<Revision> current,
             Selection* selection) const;
  Status Select(const RangeRequest& request, std::optional<Revision> current,
                Selection* selection) const;
  bool SelectChunk(const RangeRequest& request, Selection* selection) const;
  Status SortChunk(const RangeRequest& request, Selection* selection) const;

  // --- store_changes.cc ---
  Status ReadStored(const ChangeRequest& request, const View& view,
                    Revision end, ChangeSize* size, ChangeList* list) const;
  bool Held(const Compaction& job) const;

  // --- store_txn.cc ---
  StatusOr<bool> Holds(const Compare& compare) const;
  Status ChoosePath(const TxnRequest& txn, std::vector<bool>* path) const;
  // Runs `check` on every operation on the path.
  using OpCheck = Status (StoreImpl::*)(const Op& op) const;
  Status CheckTxn(const TxnRequest& txn, const std::vector<bool>& path,
                  size_t* at, OpCheck check) const;
  Status CheckPut(const Op& op) const;
  Status CheckRange(const Op& op) const;
  StatusOr<TxnResult> DoTxn(const TxnRequest& txn,
                            const std::vector<bool>& path, size_t* at);
  StatusOr<OpResult> DoOp(const Op& op, const std::vector<bool>& path,
                          size_t* at);

  // --- store_work.cc ---
  void Post(void (StoreImpl::*work)(), Duration delay = Duration::zero());
  static void RunPosted(const std::shared_ptr<Anchor>& anchor,
                        void (StoreImpl::*work)());
  void MaybeFreeze();        // REQUIRES: tail_mutex_
  void Freeze();             // REQUIRES: tail_mutex_, no open entry
  bool AtThreshold() const;  // REQUIRES: tail_mutex_
  void OnTimer();            // work
  void FlushFrozen();        // work
  Status WriteFrozen();      // work
  Status TryWriteFrozen();   // work
  Status FlushAll();         // work; blocks for the open entry
  // All that is applied, in the backend.
  StatusOr<std::shared_ptr<const View>> FlushedView();
  void FinishFlush(const Run& run);                   // work
  void PostFlush(Duration delay = Duration::zero());  // REQUIRES: tail_mutex_
  Status SwapView(bool drop_frozen);
  // True if it may be tried again later; else all is over.
  bool Survives(const Status& status);
  Duration NextRetry();

  void Detach(const Status& status, std::vector<Callback>* finished);

  // --- store_compact.cc ---
  // `sequence` is of the run that has its watermark; 0: the backend has it.
  void StartCompaction(Revision revision, uint64_t sequence, Callback done);
  void PostCompactStep(Duration delay = Duration::zero());
  void CompactStep();  // work
  void BeginStage(Compaction* job);
  bool CompactIndex(Compaction* job);
  bool WatermarkFlushed(const Compaction& job);
  size_t EndOfBatch(const Compaction& job) const;
  Status EraseBatch(Compaction* job);
  bool EndStage(Compaction* job);
  void FinishCompaction(Compaction* job);

  // --- store_scrub.cc ---
  void StartScrub();
  void ScrubStep();  // work
  Duration ScrubTime(uint64_t bytes) const;

  // --- store_shrink.cc ---
  void PostShrinkStep(Duration delay = Duration::zero());
  void MaybeShrink();
  void ShrinkStep();  // work
  bool GoOnShrinking();
  std::vector<std::shared_ptr<ShrinkRequest>> Requests() const;
  void EndShrinking(const StatusOr<ShrinkProgress>& end);
  static Status BlockedError(const ShrinkProgress& at);
  void WatchReaders();  // work

  // --- store_hash.cc ---
  // What a compaction at `at` would leave of the changes up to `compacted`, and
  // whether it would leave anything at all.
  struct Kept {
    std::vector<ChangeId> old;
    bool any = false;
  };
  StatusOr<Kept> KeptAt(Revision at, Revision compacted) const;
  StatusOr<HashKvResult> HashUpTo(Revision revision) const;

  // Constant after construction.
  const std::unique_ptr<Backend> backend_;
  const StoreOptions options_;
  Logger* const logger_;
  const std::shared_ptr<Anchor> anchor_;

  mutable RwLock mutex_;
  KeyIndex index_;                          // guarded by mutex_
  std::shared_ptr<const ReadState> state_;  // guarded by mutex_
  Revision compact_revision_{-1};           // guarded by mutex_; -1: never

  mutable StoreCounters counters_;

  // Written by work.
  std::atomic<uint64_t> scrub_passes_{0};
  std::atomic<uint64_t> scrub_bytes_{0};
  std::atomic<uint64_t> scrub_faults_{0};

  // Written by the apply thread.
  std::atomic<int64_t> revision_{1};
  std::atomic<uint64_t> applied_{0};
  std::atomic<uint64_t> flushed_{0};
  LeaseTable leases_;
  std::atomic<int64_t> held_from_{0};  // written by any thread

  // The apply thread's.
  bool in_entry_ = false;
  uint32_t changes_ = 0;  // made at the next revision
  Run* run_ = nullptr;    // the active run; changes only between entries

  mutable std::mutex tail_mutex_;
  std::condition_variable entry_ended_;
  // Guarded by tail_mutex_:
  bool entry_open_ = false;
  bool freeze_wanted_ = false;
  bool timer_set_ = false;
  bool closed_ = false;
  std::shared_ptr<Run> active_;
  // The oldest first. A slow disk makes them many; tail_bytes() bounds them.
  std::deque<std::shared_ptr<Run>> frozen_;
  bool flush_posted_ = false;
  uint64_t flushed_sequence_ = 0;
  std::vector<FlushWaiter> waiters_;
  Status broken_;  // the backend's, for good
  // The front one is being worked on; at most one more waits.
  std::deque<Compaction> compactions_;
  bool compact_posted_ = false;
  bool shrinking_ = false;  // unasked
  bool shrink_posted_ = false;
  // shared_ptr: their callbacks run later than they are taken out here.
  std::vector<std::shared_ptr<ShrinkRequest>> shrink_requests_;
  Time next_shrink_ = {};               // unasked, not before
  std::map<uint64_t, Reader> readers_;  // of old states, by these

  // Guarded by anchor_->mutex:
  Duration retry_delay_ = Duration::zero();
  // How far compactions are through the index and the key table.
  Revision swept_;
  std::optional<Time> shrink_moved_at_;  // when a step was last made
  // Tombstones in the key table that no index entry leads to.
  std::vector<RemovedChange> orphans_;
  uint64_t pass_faults_ = 0;        // of the scrub's pass
  std::vector<Callback> finished_;  // to be called once the mutex is free
};

}  // namespace strata

#endif  // STRATA_ENGINE_STORE_IMPL_H_
