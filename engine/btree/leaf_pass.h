#ifndef STRATA_ENGINE_BTREE_LEAF_PASS_H_
#define STRATA_ENGINE_BTREE_LEAF_PASS_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/btree/cursor.h"
#include "engine/btree/page.h"

namespace strata::btree {

// Leaves to be written anew: by bucket, for each a key that belongs to it,
// ascending.
struct Touches {
  std::map<std::string, std::vector<std::string>> keys;
  uint64_t pages = 0;  // that the leaves have now
};

// One walk over the leaves of all buckets in the order of their keys, some of
// them at a time, that chooses what is to be written anew. The tree may change
// between: the walk remembers no page, only the key it has reached. Used by one
// thread.
class LeafPass {
 public:
  // Chooses neighbours that would fit into fewer pages.
  static LeafPass Pack() { return LeafPass(std::nullopt); }
  // Chooses pages from `target` on, and one leaf below each such branch.
  static LeafPass MoveFrom(PageId target) { return LeafPass(target); }

  // The next leaves, until they have `pages` pages or enough was looked at.
  // `root` is that of the bucket of buckets. Nested buckets stay where they
  // are: etcd has none.
  StatusOr<Touches> Next(const PageSource& source, PageId root, uint64_t pages);
  // Whether all leaves have been looked at.
  bool done() const { return done_; }

 private:
  struct Level {
    PageId id;
    Page page;
    int at;
  };
  // The branches from a root to a leaf's parent.
  using Path = std::vector<Level>;
  // Of one call of Next().
  struct Step {
    const PageSource* source;
    uint64_t pages;
    uint64_t looked_at = 0;
    Touches touches = {};
    std::set<PageId> branches = {};  // that will be written anew

    bool full() const;
  };

  explicit LeafPass(std::optional<PageId> target) : target_(target) {}

  Status WalkBucket(PageId root, Step* step);
  void FinishBucket();
  // Down from `id`, along `key`; empty if that is a leaf.
  StatusOr<Path> Descend(const PageSource& source, PageId id,
                         std::string_view key) const;
  // To the next parent of leaves; false if there is none.
  StatusOr<bool> NextParent(const PageSource& source, Path* path) const;
  // Looks at leaves of the last branch from its `at` on, and moves it there.
  Status ChooseToPack(Path* path, Step* step);
  Status ChooseToMove(Path* path, Step* step);
  bool IsHigh(PageId id) const { return target_ && id >= *target_; }
  Status Touch(const Path& path, const Item& leaf, Step* step) const;

  std::optional<PageId> target_;
  std::string bucket_;  // being walked, or before the next
  std::string key_;     // of its next leaf
  bool done_ = false;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_LEAF_PASS_H_
