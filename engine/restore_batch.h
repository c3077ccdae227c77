#ifndef STRATA_ENGINE_RESTORE_BATCH_H_
#define STRATA_ENGINE_RESTORE_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "engine/backend.h"
#include "engine/key_value.h"

namespace strata {

// A stretch of the key table on its way into the index at open: read in
// revision order, handed on in key order. An index that is fed neighbours one
// after the other is built in a fraction of the time that it takes in the order
// of their revisions, where each lands on memory that no cache has.
//
// A value, for one thread at a time; it borrows its keys from the view, or
// has copies of them if the view's do not stay.
class RestoreBatch {
 public:
  struct Row {
    std::string_view key;
    ChangeId id;
    int64_t create = 0;
    int64_t version = 0;
    LeaseId lease{};
    bool tombstone = false;
  };

  // Replaces what it holds with the next `max_rows` changes, or as many as
  // there are. DataLoss for what is no change.
  Status Read(View::Iterator* iterator, size_t max_rows);
  bool empty() const { return rows_.empty(); }
  // REQUIRES: !empty()
  Revision newest() const { return rows_.back().id.main; }

  // Calls `visit` for each row, by key; those of one key in revision order.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (size_t i = 0; i < order_.size(); ++i) {
      // Neither the rows nor the keys are side by side in this order.
      if (i + 2 * kAhead < order_.size()) {
        __builtin_prefetch(&rows_[order_[i + 2 * kAhead].row]);
        __builtin_prefetch(rows_[order_[i + kAhead].row].key.data());
      }
      visit(rows_[order_[i].row]);
    }
  }

 private:
  // `head` is the 8 bytes of the key behind what its neighbours have in common,
  // as a number that sorts as they do.
  struct Item {
    uint64_t head;
    uint32_t row;
  };

  static constexpr size_t kAhead = 8;

  void Sort();
  void SortGroup(std::span<Item> items, size_t common, int depth);
  void SortByKey(std::span<Item> items);
  size_t CommonBytes(std::span<const Item> items, size_t known) const;

  std::vector<Row> rows_;
  std::deque<std::string> copies_;
  std::vector<Item> order_;
};

}  // namespace strata

#endif  // STRATA_ENGINE_RESTORE_BATCH_H_
