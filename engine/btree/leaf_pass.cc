#include "engine/btree/leaf_pass.h"

#include <utility>

#include "engine/btree/node.h"
#include "engine/btree/sum.h"

namespace strata::btree {
namespace {

// Leaves looked at in one step: with pages of 4 KiB, 16 MiB are read in.
constexpr uint64_t kLookAtPages = 4096;
// A branch with its ids alone is looked at as fast as this many leaves' bytes.
constexpr uint64_t kIdsPerPage = 64;
// Leaves are packed if at most this share of the pages is left.
constexpr double kWorthPacking = 0.92;

constexpr char kOutside[] = "an element leads outside the page";

uint64_t PagesOf(const PageSource& source, PageId id) {
  return uint64_t{source.header(id).overflow} + 1;
}

// Pages that the items would fill, packed.
uint64_t PackedPages(Node node, uint32_t page_size) {
  uint64_t pages = 0;
  for (const Node& piece : Split(std::move(node), page_size, 1.0)) {
    pages += PagesForBytes(NodeBytes(piece), page_size);
  }
  return pages;
}

}  // namespace

bool LeafPass::Step::full() const {
  return touches.pages >= pages || looked_at >= kLookAtPages;
}

StatusOr<Touches> LeafPass::Next(const PageSource& source, PageId root,
                                 uint64_t pages) {
  Step step{.source = &source, .pages = pages};
  const Bucket buckets = Bucket::AtRoot(root);
  while (!done_ && !step.full()) {
    Cursor names(&source, &buckets, kBucketFlag);
    names.Seek(bucket_);
    if (!names.Valid()) {
      RETURN_IF_ERROR(names.status());
      done_ = true;
      break;
    }
    if (names.key() != bucket_) key_.clear();
    bucket_ = names.key();
    ASSIGN_OR_RETURN(const Bucket bucket,
                     ParseBucket(source, root, names.value()));
    if (bucket.root == 0) {
      FinishBucket();
    } else {
      RETURN_IF_ERROR(WalkBucket(PageId(bucket.root), &step));
    }
  }
  return std::move(step.touches);
}

// On to the name that follows this one.
void LeafPass::FinishBucket() {
  bucket_ += '\0';
  key_.clear();
}

Status LeafPass::WalkBucket(PageId root, Step* step) {
  ASSIGN_OR_RETURN(Path path, Descend(*step->source, root, key_));
  if (path.empty()) {
    Item leaf;
    leaf.child = root;
    if (IsHigh(root)) RETURN_IF_ERROR(Touch(path, leaf, step));
    FinishBucket();
    return Status::Ok();
  }
  for (;;) {
    Level& parent = path.back();
    if (parent.at == parent.page.count()) {
      ASSIGN_OR_RETURN(const bool more, NextParent(*step->source, &path));
      if (!more) {
        FinishBucket();
        return Status::Ok();
      }
    } else if (step->full()) {
      Item next;
      if (!parent.page.Get(parent.at, &next)) {
        return step->source->Damaged(parent.id, kOutside);
      }
      key_ = next.key;
      return Status::Ok();
    } else {
      RETURN_IF_ERROR(target_ ? ChooseToMove(&path, step)
                              : ChooseToPack(&path, step));
    }
  }
}

StatusOr<LeafPass::Path> LeafPass::Descend(const PageSource& source, PageId id,
                                           std::string_view key) const {
  Path path;
  for (;;) {
    if (path.size() > kMaxDepth) {
      return source.Damaged(id, "the tree is too deep");
    }
    ASSIGN_OR_RETURN(const Page page, source.Read(id));
    if (page.is_leaf()) return path;
    const int at = page.ChildFor(key);
    Item child;
    if (at < 0 || page.count() == 0 || !page.Get(at, &child)) {
      return source.Damaged(id, kOutside);
    }
    path.push_back({id, page, at});
    id = child.child;
  }
}

StatusOr<bool> LeafPass::NextParent(const PageSource& source,
                                    Path* path) const {
  do {
    path->pop_back();
    if (path->empty()) return false;
    ++path->back().at;
  } while (path->back().at == path->back().page.count());
  const Level& branch = path->back();
  Item child;
  if (!branch.page.Get(branch.at, &child)) {
    return source.Damaged(branch.id, kOutside);
  }
  ASSIGN_OR_RETURN(const Path below, Descend(source, child.child, ""));
  if (below.empty()) {
    return source.Damaged(child.child, "a leaf beside a branch");
  }
  path->insert(path->end(), below.begin(), below.end());
  return true;
}

// As many leaves of one parent as the step may have, all or none of them.
Status LeafPass::ChooseToPack(Path* path, Step* step) {
  Level& parent = path->back();
  std::vector<Item> leaves;
  Node together;
  uint64_t pages = 0;
  while (parent.at < parent.page.count() &&
         (leaves.empty() || step->touches.pages + pages < step->pages)) {
    Item leaf;
    if (!parent.page.Get(parent.at, &leaf)) {
      return step->source->Damaged(parent.id, kOutside);
    }
    ASSIGN_OR_RETURN(const Page page, step->source->Read(leaf.child));
    if (!page.is_leaf() || !AppendItems(page, &together.items)) {
      return step->source->Damaged(leaf.child, kOutside);
    }
    pages += PagesOf(*step->source, leaf.child);
    leaves.push_back(leaf);
    ++parent.at;
  }
  step->looked_at += pages;
  const uint64_t packed =
      PackedPages(std::move(together), step->source->page_size());
  const auto worth = static_cast<double>(pages) * kWorthPacking;
  if (static_cast<double>(packed) > worth) return Status::Ok();
  for (const Item& leaf : leaves) RETURN_IF_ERROR(Touch(*path, leaf, step));
  return Status::Ok();
}

Status LeafPass::ChooseToMove(Path* path, Step* step) {
  Level& parent = path->back();
  bool branch_is_high = false;
  for (const Level& level : *path) {
    branch_is_high |= IsHigh(level.id) && !step->branches.contains(level.id);
  }
  while (parent.at < parent.page.count() && !step->full()) {
    Item leaf;
    if (!parent.page.Get(parent.at, &leaf)) {
      return step->source->Damaged(parent.id, kOutside);
    }
    if (branch_is_high || IsHigh(leaf.child)) {
      RETURN_IF_ERROR(Touch(*path, leaf, step));
      branch_is_high = false;
    }
    ++parent.at;
  }
  step->looked_at +=
      1 + static_cast<uint64_t>(parent.page.count()) / kIdsPerPage;
  return Status::Ok();
}

Status LeafPass::Touch(const Path& path, const Item& leaf, Step* step) const {
  if (const char* reason = step->source->CheckExtent(leaf.child)) {
    return step->source->Damaged(leaf.child, reason);
  }
  step->touches.keys[bucket_].emplace_back(leaf.key);
  step->touches.pages += PagesOf(*step->source, leaf.child);
  for (const Level& level : path) step->branches.insert(level.id);
  return Status::Ok();
}

}  // namespace strata::btree
