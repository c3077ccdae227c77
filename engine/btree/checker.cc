#include "engine/btree/checker.h"

#include <utility>

#include "base/bytes.h"

namespace strata::btree {

Checker::Checker(const PageSource& source, const Meta& meta, CheckDepth depth,
                 Report report)
    : source_(source),
      meta_(meta),
      depth_(depth),
      report_(std::move(report)),
      reached_(meta.high_water, false),
      heads_(meta.high_water, false) {}

void Checker::Walk() {
  reached_[0] = reached_[1] = true;
  if (meta_.freelist != kNoFreelist) WalkFreelist(PageId(meta_.freelist));
  WalkTree(PageId(meta_.root.root), 0);
}

void Checker::WalkFreelist(PageId id) {
  if (const Status status = source_.Verify(id); !status.ok()) {
    Fault(status);
  } else {
    Reach(id, uint64_t{source_.header(id).overflow} + 1);
  }
}

void Checker::WalkTree(PageId root, int depth) {
  const int outer = std::exchange(leaf_depth_, -1);
  WalkPage(root, {}, depth);
  leaf_depth_ = outer;
}

void Checker::WalkPage(PageId id, const Bounds& bounds, int depth) {
  if (stopped_) return;
  if (depth > kMaxDepth) {
    Fault(id, "the tree is too deep");
    return;
  }
  if (const char* reason = source_.CheckExtent(id)) {
    Fault(id, reason);
    return;
  }
  // Before its overflow is believed.
  StatusOr<Page> page = source_.Read(id);
  if (!page.ok()) {
    Fault(page.status());
    return;
  }
  if (!Reach(id, uint64_t{source_.header(id).overflow} + 1)) return;
  Show(id, *page, /*is_inline=*/false, depth);
  if (page->is_leaf()) {
    if (leaf_depth_ < 0) leaf_depth_ = depth;
    if (leaf_depth_ != depth) Fault(id, "a leaf beside a branch");
    WalkLeaf(id, *page, bounds, depth);
  } else {
    WalkBranch(id, *page, bounds, depth);
  }
}

void Checker::WalkBranch(PageId id, const Page& page, const Bounds& bounds,
                         int depth) {
  std::vector<Item> items;
  const int least = depth_ == CheckDepth::kStrict ? 2 : 1;
  if (page.count() < least) Fault(id, "a branch with too few children");
  if (!CheckItems(id, page, bounds, &items)) return;
  for (size_t i = 0; i < items.size() && !stopped_; ++i) {
    Bounds inner = {items[i].key, bounds.high};
    if (i + 1 < items.size()) inner.high = items[i + 1].key;
    WalkPage(items[i].child, inner, depth + 1);
  }
}

void Checker::WalkLeaf(PageId id, const Page& page, const Bounds& bounds,
                       int depth) {
  std::vector<Item> items;
  if (!CheckItems(id, page, bounds, &items)) return;
  for (const Item& item : items) {
    if (item.flags != kBucketFlag) continue;
    bucket_.push_back(item.key);
    WalkBucket(id, item.value, depth);
    bucket_.pop_back();
  }
}

void Checker::Show(PageId id, const Page& page, bool is_inline,
                   int depth) const {
  if (visitor_) visitor_({id, page, is_inline, depth, bucket_});
}

void Checker::WalkBucket(PageId id, std::string_view value, int depth) {
  StatusOr<Bucket> bucket = ParseBucket(source_, id, value);
  if (!bucket.ok()) {
    Fault(bucket.status());
  } else if (bucket->root != 0) {
    if (depth_ == CheckDepth::kBranches) {
      WalkBranchesOf(PageId(bucket->root));
    } else {
      WalkTree(PageId(bucket->root), depth + 1);
    }
  } else if (auto header =
                 Load<PageHeader>(value.data() + sizeof(BucketHeader));
             header.id != 0 || header.overflow != 0) {
    Fault(id, "inline bucket: holds a page's number");
  } else {
    Show(id, bucket->leaf, /*is_inline=*/true, depth + 1);
    WalkLeaf(id, bucket->leaf, {}, depth + 1);
  }
}

void Checker::WalkBranchesOf(PageId root) {
  const int levels = LevelsBelow(root, /*left=*/true);
  const int right = LevelsBelow(root, /*left=*/false);
  if (levels < 0 || right < 0) return;
  if (levels == right) {
    WalkBranchLevel(root, {}, levels);
  } else {
    Fault(root, "its leaves are not all at one depth");
  }
}

int Checker::LevelsBelow(PageId root, bool left) {
  PageId id = root;
  for (int levels = 0; levels <= kMaxDepth; ++levels) {
    StatusOr<Page> page = source_.Read(id);
    if (!page.ok()) {
      Fault(page.status());
      return -1;
    }
    if (page->is_leaf()) return levels;
    Item edge;
    if (page->count() == 0 || !page->Get(left ? 0 : page->count() - 1, &edge)) {
      Fault(id, "a branch without child");
      return -1;
    }
    id = edge.child;
  }
  Fault(id, "the tree is too deep");
  return -1;
}

void Checker::WalkBranchLevel(PageId id, const Bounds& bounds,
                              int levels_below) {
  if (stopped_) return;
  if (id >= source_.high_water()) {
    Fault(id, "beyond the last page");
    return;
  }
  if (!Reach(id, 1) || levels_below == 0) return;
  StatusOr<Page> page = source_.Read(id);
  if (!page.ok()) {
    Fault(page.status());
    return;
  }
  if (page->is_leaf()) {
    Fault(id, "a leaf where a branch should be");
    return;
  }
  std::vector<Item> items;
  if (!CheckItems(id, *page, bounds, &items)) return;
  for (size_t i = 0; i < items.size() && !stopped_; ++i) {
    Bounds inner = {items[i].key, bounds.high};
    if (i + 1 < items.size()) inner.high = items[i + 1].key;
    WalkBranchLevel(items[i].child, inner, levels_below - 1);
  }
}

bool Checker::CheckItems(PageId id, const Page& page, const Bounds& bounds,
                         std::vector<Item>* items) {
  size_t next = kHeaderBytes + page.count() * kElementBytes;
  std::string_view last;
  for (int i = 0; i < page.count(); ++i) {
    const std::string where = "element " + std::to_string(i) + ": ";
    Item item;
    if (!page.Get(i, &item)) return Fault(id, where + "leads outside the page");
    if (item.flags > kBucketFlag) return Fault(id, where + "unknown flags");
    if (item.key.empty()) return Fault(id, where + "an empty key");
    if (page.PositionOf(item) != next) {
      return Fault(id, where + "not behind the one before");
    }
    next += item.key.size() + item.value.size();
    if (i > 0 && item.key <= last) {
      return Fault(id, where + "key " + Printable(item.key) +
                           " is not above the one before");
    }
    if (i == 0 && item.key < bounds.low) {
      return Fault(id, where + "key " + Printable(item.key) +
                           " is below the branch's " + Printable(bounds.low));
    }
    if (i == 0 && depth_ == CheckDepth::kStrict && !bounds.low.empty() &&
        item.key != bounds.low) {
      return Fault(id, where + "key " + Printable(item.key) +
                           " is not the branch's " + Printable(bounds.low));
    }
    last = item.key;
    items->push_back(item);
  }
  if (!items->empty() && bounds.high && last >= *bounds.high) {
    return Fault(id, "key " + Printable(last) + " is above the branch's next " +
                         Printable(*bounds.high));
  }
  return true;
}

void Checker::CompareFreelist(const std::vector<PageRun>& free) {
  std::vector<bool> listed(meta_.high_water, false);
  for (const PageRun& run : free) {
    for (uint64_t i = 0; i < run.count && !stopped_; ++i) {
      const PageId id = run.first + i;
      if (id.value() >= meta_.high_water) {
        Fault(id, "free, but beyond the last page");
        return;
      }
      if (reached_[id.value()]) Fault(id, "free and in use");
      listed[id.value()] = true;
    }
  }
  for (uint64_t id = 2; id < meta_.high_water && !stopped_; ++id) {
    if (!reached_[id] && !listed[id]) {
      Fault(PageId(id), "neither in use nor free");
    }
  }
}

void Checker::ExpectUnreached(const std::vector<PageRun>& free) {
  for (const PageRun& run : free) {
    for (uint64_t i = 0; i < run.count && !stopped_; ++i) {
      const PageId id = run.first + i;
      if (reached_[id.value()]) Fault(id, "free and in use");
    }
  }
}

std::vector<PageRun> Checker::Unreached() const {
  std::vector<PageRun> runs;
  for (uint64_t id = 0; id < reached_.size(); ++id) {
    if (reached_[id]) continue;
    if (!runs.empty() && runs.back().first + runs.back().count == PageId(id)) {
      ++runs.back().count;
    } else {
      runs.push_back({PageId(id), 1});
    }
  }
  return runs;
}

bool Checker::Reach(PageId first, uint64_t count) {
  heads_[first.value()] = true;
  for (uint64_t i = 0; i < count; ++i) {
    if (reached_[(first + i).value()]) return Fault(first + i, "reached twice");
    reached_[(first + i).value()] = true;
  }
  return true;
}

// Always false, for its callers to return.
bool Checker::Fault(PageId page, std::string_view what) {
  return Fault(source_.Damaged(page, what));
}

bool Checker::Fault(const Status& fault) {
  if (!stopped_ && !report_(fault)) stopped_ = true;
  return false;
}

}  // namespace strata::btree
