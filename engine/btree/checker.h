#ifndef STRATA_ENGINE_BTREE_CHECKER_H_
#define STRATA_ENGINE_BTREE_CHECKER_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/btree/cursor.h"
#include "engine/btree/freelist.h"
#include "engine/btree/meta.h"

namespace strata::btree {

// Walks every page that a meta reaches and looks at each header and element:
// bounds, number, kind; keys in order, on a page and between a branch and its
// children; the bytes of the elements one behind the other; no page reached
// twice. Reads pages of a pinned state. Used by one thread.
class Checker {
 public:
  // Gets each fault, as the DataLoss it is; false ends the walk.
  using Report = std::function<bool(const Status& fault)>;

  Checker(const PageSource& source, const Meta& meta, Report report);

  void Walk();

  // Each page below the high water mark must be in the tree or in `free`, not
  // in both. After Walk().
  void CompareFreelist(const std::vector<PageRun>& free);

  // What Walk() did not reach.
  std::vector<PageRun> Unreached() const;

 private:
  // A subtree's keys are in [low, high); no high: no end.
  struct Bounds {
    std::string_view low;
    std::optional<std::string_view> high;
  };

  void WalkPage(PageId id, const Bounds& bounds, int depth);
  void WalkBranch(PageId id, const Page& page, const Bounds& bounds, int depth);
  void WalkLeaf(PageId id, const Page& page, const Bounds& bounds, int depth);
  void WalkBucket(PageId id, std::string_view value, int depth);
  // All but the children. The page's own checks come before any descent.
  bool CheckItems(PageId id, const Page& page, const Bounds& bounds,
                  std::vector<Item>* items);
  void Reach(PageId first, uint64_t count);
  bool Fault(PageId page, std::string_view what);
  bool Fault(const Status& fault);

  const PageSource source_;
  const Meta meta_;
  const Report report_;
  std::vector<bool> reached_;
  bool stopped_ = false;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_CHECKER_H_
