#ifndef STRATA_ENGINE_TAIL_H_
#define STRATA_ENGINE_TAIL_H_

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"
#include "engine/append_array.h"
#include "engine/arena.h"
#include "engine/backend.h"
#include "engine/key_value.h"
#include "engine/level.h"

namespace strata {

// A run of recent changes, not yet in the backend, in the order they were made:
// those of the key table (each change at its revision, none twice), and what
// became of the records of the small tables.
//
// One thread adds; any thread reads at the same time. What it returns stays
// where it is while the Run lives.
class Run {
 public:
  // `first` is the revision of its first change.
  Run(uint64_t sequence, Revision first) : sequence_(sequence), first_(first) {}
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // --- the key table ---

  // Room for the value of the next change: `id` follows the change before, or
  // begins the next revision. The caller fills it before it shows the change
  // to any reader.
  char* Append(ChangeId id, size_t value_bytes, bool tombstone);

  Revision first() const { return first_; }
  bool Covers(Revision main) const { return main >= first_; }
  // Nothing if the run does not have it.
  std::optional<std::string_view> Find(ChangeId id) const;

  struct Entry {
    ChangeId id;
    bool tombstone;
    std::string_view value;
  };
  // Calls `visit` for each change before revision `end`, in order.
  template <typename Visit>
  void ForEach(Revision end, const Visit& visit) const;
  // The same for the changes of revision `main`, all of which have been made.
  template <typename Visit>
  void ForEachAt(Revision main, const Visit& visit) const;

  // --- the small tables; any thread reads, under a lock of its own ---

  using RecordKey = std::pair<Table, std::string>;
  using Records = std::map<RecordKey, std::optional<std::string>>;

  void PutRecord(Table table, std::string_view key, std::string_view value);
  void EraseRecord(Table table, std::string_view key);
  // The outer optional: whether the run has a say; the inner: its value or that
  // it was erased.
  std::optional<std::optional<std::string>> FindRecord(
      Table table, std::string_view key) const;
  // Puts into (or takes out of) `records` what the run changed in `table`.
  void OverlayRecords(Table table,
                      std::map<std::string, std::string>* records) const;

  // --- the log entries it covers ---

  // The last one; the adding thread, or any once it is done.
  void EndEntry(LogIndex index, Term term);
  LogIndex index() const { return index_; }
  // All below: any thread.
  // Whether there is anything for the backend.
  bool dirty() const { return dirty_.load(std::memory_order_relaxed); }
  uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  uint64_t sequence() const { return sequence_; }

  // All of it, for the backend; borrows the values. REQUIRES: no more is added
  Batch ToBatch(Level level) const;

 private:
  static constexpr uint64_t kChangeOverhead = 64;

  struct Value {
    const char* data;
    uint32_t size;
    bool tombstone;
  };

  // Calls `visit` for the changes of the revision that is the `i`th here, where
  // there are `revisions`, and `values` when that was not known yet.
  template <typename Visit>
  void VisitRevision(size_t i, size_t revisions, size_t values,
                     const Visit& visit) const;
  void CountChange(size_t bytes);

  const uint64_t sequence_;
  const Revision first_;
  AppendArray<Value> values_;
  // For each revision from first_ on, where its changes begin in values_.
  AppendArray<uint64_t> starts_;

  // The adding thread's.
  Arena arena_;
  LogIndex index_;
  Term term_;

  std::atomic<bool> dirty_{false};
  std::atomic<uint64_t> changes_{0};
  std::atomic<uint64_t> bytes_{0};

  mutable std::mutex records_mutex_;
  Records records_;  // guarded by records_mutex_
};

template <typename Visit>
void Run::ForEach(Revision end, const Visit& visit) const {
  // In this order: if no later revision had begun when `revisions` was read,
  // then none of its changes is among `values`.
  const size_t values = values_.size();
  const size_t revisions = starts_.size();
  for (size_t i = 0; i < revisions; ++i) {
    if (first_ + static_cast<int64_t>(i) >= end) return;
    VisitRevision(i, revisions, values, visit);
  }
}

template <typename Visit>
void Run::ForEachAt(Revision main, const Visit& visit) const {
  const size_t values = values_.size();  // first, as above
  const size_t revisions = starts_.size();
  const auto i = static_cast<size_t>(main - first_);
  if (i < revisions) VisitRevision(i, revisions, values, visit);
}

template <typename Visit>
void Run::VisitRevision(size_t i, size_t revisions, size_t values,
                        const Visit& visit) const {
  const Revision main = first_ + static_cast<int64_t>(i);
  const size_t stop = i + 1 < revisions ? starts_[i + 1] : values;
  for (size_t at = starts_[i]; at < stop; ++at) {
    const Value& value = values_[at];
    visit(Entry{{main, static_cast<uint32_t>(at - starts_[i])},
                value.tombstone,
                {value.data, value.size}});
  }
}

// What readers see of the store at one moment: the runs and the backend below
// them. Nothing is between them: a frozen run is dropped together with the
// change to a view that has it. Immutable, but that the active run grows.
struct ReadState {
  std::shared_ptr<Run> active;
  // The oldest, which is being written, first. Mostly none or one.
  std::vector<std::shared_ptr<const Run>> frozen;
  std::shared_ptr<const View> view;

  // The value of a change that exists. DataLoss if it does not.
  StatusOr<std::string_view> Value(ChangeId id) const;
  StatusOr<std::optional<std::string>> Record(Table table,
                                              std::string_view key) const;
  StatusOr<std::vector<std::pair<std::string, std::string>>> Records(
      Table table) const;
  // Null if the backend has it.
  const Run* RunOf(Revision main) const;
  // All before it is in the backend, nothing from it on is.
  Revision first_in_tail() const {
    return frozen.empty() ? active->first() : frozen.front()->first();
  }
  uint64_t tail_bytes() const;
};

}  // namespace strata

#endif  // STRATA_ENGINE_TAIL_H_
