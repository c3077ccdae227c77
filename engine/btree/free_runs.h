#ifndef STRATA_ENGINE_BTREE_FREE_RUNS_H_
#define STRATA_ENGINE_BTREE_FREE_RUNS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/btree/page.h"
#include "engine/btree_options.h"

namespace strata::btree {

// Neighbouring pages [first, first + count).
struct PageRun {
  PageId first;
  uint64_t count = 0;

  PageId end() const { return first + count; }
  friend bool operator==(const PageRun&, const PageRun&) = default;
};

// Which pages can be written, in one of two forms that behave alike but for
// the choice among runs that fit. With n runs, taking and giving one costs
// O(log n) in both. Used by one thread.
//
//   array  a bit for each page, and a tree over the bits that knows the longest
//          run below each node; takes the lowest run that fits, so that the
//          file's end empties first; 1/8 byte of memory for each page
//   map    the runs by place and by length; takes the shortest run that fits,
//          so that long ones stay for long nodes; 100 bytes for each run
class FreeRuns {
 public:
  static std::unique_ptr<FreeRuns> New(FreelistType type);
  virtual ~FreeRuns() = default;

  // Takes `count` neighbouring pages out, if there are so many.
  virtual std::optional<PageId> Take(uint64_t count) = 0;
  // The lowest that fit. The map looks at one run of each length there is.
  virtual std::optional<PageId> TakeLowest(uint64_t count) = 0;
  // Takes out the pages just below `end`; how many they were. REQUIRES: no page
  // from `end` on is in
  virtual uint64_t TakeTail(PageId end) = 0;
  // Puts pages back in. False if one of them is in already, which leaves the
  // rest undefined. `runs` may be in any order.
  virtual bool Give(const std::vector<PageRun>& runs) = 0;
  virtual uint64_t count() const = 0;
  // Sorted; neighbours joined. O(pages).
  virtual std::vector<PageRun> runs() const = 0;
};

// Sorts and joins neighbours. False if two runs overlap.
bool Normalize(std::vector<PageRun>* runs);

// The same of two lists, of which the first is sorted.
bool MergeRuns(std::vector<PageRun> sorted, std::vector<PageRun> more,
               std::vector<PageRun>* merged);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_FREE_RUNS_H_
