#ifndef STRATA_ENGINE_BTREE_CHECKER_H_
#define STRATA_ENGINE_BTREE_CHECKER_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/btree/cursor.h"
#include "engine/btree/freelist.h"
#include "engine/btree/meta.h"

namespace strata::btree {

// How much of a file a walk looks at.
enum class CheckDepth {
  // Branches, and that no page is the child of two: what an open can afford
  // that knows the free pages. Leaves are not read.
  kBranches,
  // Each header and element: bounds, number, kind; keys in order, on a page and
  // between a branch and its children; the bytes of the elements one behind the
  // other; no page reached twice.
  kAll,
  // Also that a branch has two children and each child's first key, as both
  // bbolt and we write it; a file without that can still be read.
  kStrict,
};

// Walks the pages that a meta reaches. Reads pages of a pinned state. Used by
// one thread.
class Checker {
 public:
  // Gets each fault, as the DataLoss it is; false ends the walk.
  using Report = std::function<bool(const Status& fault)>;

  // A branch or leaf as the walk meets it: parents before children, keys in
  // order. Its elements are not checked yet. Valid during the call.
  struct Visit {
    PageId id;  // of an inline bucket, the page that holds it
    const Page& page;
    bool is_inline;
    int depth;
    // The names from the outermost bucket on; empty in the bucket of buckets.
    const std::vector<std::string_view>& bucket;
  };
  using Visitor = std::function<void(const Visit&)>;

  Checker(const PageSource& source, const Meta& meta, CheckDepth depth,
          Report report);

  // Whom Walk() of kAll or kStrict is to show each page to.
  void SetVisitor(Visitor visitor) { visitor_ = std::move(visitor); }

  void Walk();

  // Each page below the high water mark must be in the tree or in `free`, not
  // in both. After Walk() of kAll or kStrict.
  void CompareFreelist(const std::vector<PageRun>& free);

  // That no page in `free` was reached. After Walk().
  void ExpectUnreached(const std::vector<PageRun>& free);

  // What Walk() of kAll or kStrict did not reach.
  std::vector<PageRun> Unreached() const;

  // The pages that Walk() of any depth reached, by number, without those that
  // follow a page and belong to it.
  const std::vector<bool>& heads() const { return heads_; }

 private:
  // A subtree's keys are in [low, high); no high: no end.
  struct Bounds {
    std::string_view low;
    std::optional<std::string_view> high;
  };

  void WalkTree(PageId root, int depth);
  void WalkPage(PageId id, const Bounds& bounds, int depth);
  // A tree of which only the branches are read.
  void WalkBranchesOf(PageId root);
  void WalkBranchLevel(PageId id, const Bounds& bounds, int levels_below);
  // How many levels are below `root`, along one edge; -1 after a fault.
  int LevelsBelow(PageId root, bool left);
  void WalkBranch(PageId id, const Page& page, const Bounds& bounds, int depth);
  void WalkLeaf(PageId id, const Page& page, const Bounds& bounds, int depth);
  void WalkBucket(PageId id, std::string_view value, int depth);
  void Show(PageId id, const Page& page, bool is_inline, int depth) const;
  // All but the children. The page's own checks come before any descent.
  bool CheckItems(PageId id, const Page& page, const Bounds& bounds,
                  std::vector<Item>* items);
  // False, after a fault, if one of the pages was reached before.
  bool Reach(PageId first, uint64_t count);
  void WalkFreelist(PageId id);
  bool Fault(PageId page, std::string_view what);
  bool Fault(const Status& fault);

  const PageSource source_;
  const Meta meta_;
  const CheckDepth depth_;
  const Report report_;
  Visitor visitor_;
  std::vector<std::string_view> bucket_;  // the one being walked
  std::vector<bool> reached_;
  std::vector<bool> heads_;
  bool stopped_ = false;
  int leaf_depth_ = -1;  // of the tree being walked, once a leaf was met
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_CHECKER_H_
