#ifndef STRATA_ENGINE_BTREE_STATE_H_
#define STRATA_ENGINE_BTREE_STATE_H_

#include <array>
#include <atomic>
#include <memory>

#include "base/env.h"
#include "engine/backend.h"
#include "engine/btree/cursor.h"
#include "engine/btree/meta.h"

namespace strata::btree {

// The file after one commit: immutable but for the count of views that pin it.
// While it is pinned its pages are not written again. Thread-safe.
class State {
 public:
  // Finds the ten tables; DataLoss if the bucket of buckets is damaged.
  // `source` points into `mapping` and `notes`.
  static StatusOr<std::unique_ptr<State>> Make(
      const PageSource& source, const Meta& meta,
      std::shared_ptr<const Mapping> mapping,
      std::shared_ptr<const PageNotes> notes);

  const Meta& meta() const { return meta_; }
  TxId id() const { return TxId(meta_.tx); }
  const PageSource& source() const { return source_; }
  const Bucket& table(Table table) const {
    return tables_[static_cast<int>(table)];
  }

  void Pin() { pins_.fetch_add(1, std::memory_order_relaxed); }
  // What was read before is read before the pages are written again.
  void Unpin() { pins_.fetch_sub(1, std::memory_order_release); }
  bool pinned() const { return pins_.load(std::memory_order_acquire) > 0; }

 private:
  State(const PageSource& source, const Meta& meta,
        std::shared_ptr<const Mapping> mapping,
        std::shared_ptr<const PageNotes> notes)
      : source_(source),
        meta_(meta),
        mapping_(std::move(mapping)),
        notes_(std::move(notes)) {}

  const PageSource source_;
  const Meta meta_;
  // What source_ points to. Shared with other states, until the file is mapped
  // anew or has grown.
  const std::shared_ptr<const Mapping> mapping_;
  const std::shared_ptr<const PageNotes> notes_;
  std::array<Bucket, kTableCount> tables_;
  std::atomic<int64_t> pins_ = 0;
};

// Pins a state. See View.
class StateView : public View {
 public:
  // REQUIRES: `state` is pinned for this view.
  explicit StateView(State* state) : state_(state) {}
  ~StateView() override { state_->Unpin(); }

  StatusOr<std::optional<std::string_view>> Get(
      Table table, std::string_view key) const override;
  std::unique_ptr<Iterator> NewIterator(Table table) const override;

  const State& state() const { return *state_; }

 private:
  State* const state_;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_STATE_H_
