#ifndef STRATA_SERVER_REPLACEABLE_STORE_H_
#define STRATA_SERVER_REPLACEABLE_STORE_H_

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/store.h"

namespace strata {

// A store whose whole content a snapshot of another member replaces, while
// calls go on: each sees the one or the other. What was read stays valid as
// long as it is held. Writers and Replace: the apply thread.
class ReplaceableStore final : public Store {
 public:
  // `forget_gone` is a planted bug: watchers skip what has been compacted.
  explicit ReplaceableStore(std::unique_ptr<Store> store,
                            bool forget_gone = false)
      : forget_gone_(forget_gone), store_(std::move(store)) {}

  // Ends the background work of the old content; what waited for it is told.
  // To be called before its files are touched.
  void Abandon() override { store_->Abandon(); }
  // The new content. The old one stays in memory until nobody reads it and
  // DropOld() has been called.
  void Replace(std::unique_ptr<Store> next);
  void DropOld();

  StatusOr<RangeResult> Range(const RangeRequest& request) const override;
  StatusOr<HashKvResult> HashKv(Revision revision) const override;
  Revision revision() const override { return get()->revision(); }
  Revision compact_revision() const override {
    return get()->compact_revision();
  }
  LogIndex applied() const override { return get()->applied(); }
  LogIndex flushed() const override { return get()->flushed(); }
  uint64_t tail_bytes() const override { return get()->tail_bytes(); }
  BackendSizes Sizes() const override { return get()->Sizes(); }
  ScrubStats scrub_stats() const override { return get()->scrub_stats(); }
  StoreStats stats() const override { return get()->stats(); }
  StatusOr<HashResult> Hash() override { return get()->Hash(); }
  StatusOr<std::optional<std::string>> Get(Table table,
                                           std::string_view key) const override;
  StatusOr<ChangeList> ReadChanges(const ChangeRequest& request) const override;
  StatusOr<std::optional<std::string>> ReadBefore(std::string_view key,
                                                  Revision revision,
                                                  bool held) const override;
  StatusOr<std::vector<std::pair<std::string, std::string>>> List(
      Table table) const override;
  // Not to be kept: it goes with the content.
  const LeaseTable& leases() const override { return get()->leases(); }
  void HoldChanges(Revision from) override;

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
  Status Close() override { return get()->Close(); }

 private:
  std::shared_ptr<Store> get() const;
  // What was compacted in the content that came is gone, even for the one who
  // holds changes.
  bool Held(bool held, Revision from) const;

  const bool forget_gone_;

  // Changed by the apply thread with the mutex, which reads it without.
  std::shared_ptr<Store> store_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::shared_ptr<Store> old_;
  Revision held_from_;
  Revision gone_before_;
};

}  // namespace strata

#endif  // STRATA_SERVER_REPLACEABLE_STORE_H_
