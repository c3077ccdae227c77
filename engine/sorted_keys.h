#ifndef STRATA_ENGINE_SORTED_KEYS_H_
#define STRATA_ENGINE_SORTED_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/key_history.h"
#include "engine/requests.h"
#include "engine/tail.h"

namespace strata {

// The keys of a range in an order that is not that of their names: by version,
// creation, last change or value. With a limit of k it never keeps more than k:
// a heap of the best, its worst on top.
//
//   limit 2, by version, ascending      a3 b1 c2 d1  ->  b1 d1
//
// Equal ones stay in the order in which they were added, whichever way. Used by
// one thread.
class SortedKeys {
 public:
  // `limit` 0: all. `state` outlives the object; it has the values.
  SortedKeys(SortTarget target, SortOrder order, int64_t limit,
             const ReadState* state);

  Status Add(const KeyState& key);
  uint64_t added() const { return added_; }
  // The best, in order. At the end.
  std::vector<KeyState> Take();

 private:
  struct Row {
    int64_t number = 0;      // what is compared
    std::string_view value;  // then this; one of the two is the same in all
    uint64_t turn = 0;
    KeyState key;
  };

  Status Fill(const KeyState& key, Row* row) const;
  bool Before(const Row& a, const Row& b) const;

  const SortTarget target_;
  const bool descend_;
  const size_t limit_;
  const ReadState* const state_;
  uint64_t added_ = 0;
  std::vector<Row> rows_;  // a heap once there are limit_
};

}  // namespace strata

#endif  // STRATA_ENGINE_SORTED_KEYS_H_
