#include "engine/btree/tree.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "engine/btree/sum.h"

namespace strata::btree {
namespace {

// A node that lost items joins its neighbour below this share of a page. With
// half a page many a pair would be joined that packing (leaf_pass.h) then
// passes over.
constexpr double kSmall = 0.45;
// What a split in the middle of a tree fills: both halves get room.
constexpr double kMiddleFill = 0.5;

constexpr char kOutside[] = "an element leads outside the page";

Item ChildItem(std::string_view first_key, PageId child) {
  Item item;
  item.key = first_key;
  item.child = child;
  return item;
}

Status KindMismatch(const Change& change) {
  return FailedPreconditionError(
      change.flags != 0
          ? "a value is where bucket " + Printable(change.key) + " should be"
          : "a bucket is at key " + Printable(change.key));
}

}  // namespace

StatusOr<std::optional<Node>> TreeMerge::Merge(
    PageId root, std::span<const Change> changes) {
  ASSIGN_OR_RETURN(std::optional<Node> node,
                   MergePage(root, changes, /*rightmost=*/true, 0));
  if (!node) return node;
  while (node->only_child) {
    Node child = std::move(*std::exchange(node->only_child, {}));
    *node = std::move(child);
  }
  if (node->items.empty()) node->leaf = true;
  return node;
}

StatusOr<std::optional<Node>> TreeMerge::MergeInline(
    PageId id, const Page& leaf, std::span<const Change> changes) {
  ASSIGN_OR_RETURN(std::optional<Node> node, MergeLeaf(id, leaf, changes));
  if (node) node->rightmost = true;
  return node;
}

StatusOr<PageId> TreeMerge::WriteRoot(Node root) {
  for (;;) {
    if (!root.leaf && root.items.size() == 1) return root.items[0].child;
    std::vector<Node> pieces = Pieces(std::move(root));
    if (pieces.size() == 1) return sink_->WriteNode(pieces[0]);
    Node parent;
    parent.leaf = false;
    parent.rightmost = true;
    for (Node& piece : pieces) {
      ASSIGN_OR_RETURN(PageId id, sink_->WriteNode(piece));
      parent.items.push_back(ChildItem(piece.items[0].key, id));
    }
    root = std::move(parent);
  }
}

StatusOr<std::optional<Node>> TreeMerge::MergePage(
    PageId id, std::span<const Change> changes, bool rightmost, int depth) {
  if (depth > kMaxDepth) return source_->Damaged(id, "the tree is too deep");
  ASSIGN_OR_RETURN(Page page, source_->Read(id));
  std::optional<Node> node;
  if (page.is_leaf()) {
    ASSIGN_OR_RETURN(node, MergeLeaf(id, page, changes));
    if (node) node->rightmost = rightmost;
  } else {
    ASSIGN_OR_RETURN(node, MergeBranch(id, page, changes, rightmost, depth));
  }
  if (node) sink_->FreePage(id);
  return node;
}

StatusOr<std::optional<Node>> TreeMerge::MergeLeaf(
    PageId id, const Page& page, std::span<const Change> changes) {
  Node old;
  if (!AppendItems(page, &old.items)) return source_->Damaged(id, kOutside);
  Node node;
  node.items.reserve(old.items.size() + changes.size());
  auto item = old.items.begin();
  for (const Change& change : changes) {
    node.touched |= change.touch;
    if (change.touch) continue;
    while (item != old.items.end() && item->key < change.key) {
      node.items.push_back(*item++);
    }
    bool found = item != old.items.end() && item->key == change.key;
    if (found && item->flags != change.flags) return KindMismatch(change);
    if (found) ++item;
    if (change.erase) {
      node.shrunk |= found;
    } else {
      node.grown = true;
      node.items.push_back({change.flags, change.key, change.value, {}});
    }
  }
  if (!node.shrunk && !node.grown && !node.touched) {
    return std::optional<Node>();
  }
  node.items.insert(node.items.end(), item, old.items.end());
  return std::optional<Node>(std::move(node));
}

StatusOr<std::optional<Node>> TreeMerge::MergeBranch(
    PageId id, const Page& page, std::span<const Change> changes,
    bool rightmost, int depth) {
  ASSIGN_OR_RETURN(Children children, ReadChildren(id, page));
  bool changed = false;
  for (size_t i = 0; i < children.size() && !changes.empty(); ++i) {
    const bool last = i + 1 == children.size();
    size_t count = changes.size();
    if (!last) {
      auto end = std::partition_point(changes.begin(), changes.end(),
                                      [&](const Change& change) {
                                        return change.key < children[i + 1].key;
                                      });
      count = end - changes.begin();
    }
    if (count == 0) continue;
    ASSIGN_OR_RETURN(children[i].node,
                     MergePage(children[i].page, changes.first(count),
                               rightmost && last, depth + 1));
    changed |= children[i].node.has_value();
    changes = changes.subspan(count);
  }
  if (!changed) return std::optional<Node>();
  const size_t before = children.size();
  RETURN_IF_ERROR(Join(&children));
  const bool shrunk = children.size() < before;
  ASSIGN_OR_RETURN(Node node, WriteChildren(std::move(children), rightmost));
  node.shrunk = shrunk;
  node.grown = node.items.size() > before;
  return std::optional<Node>(std::move(node));
}

StatusOr<TreeMerge::Children> TreeMerge::ReadChildren(PageId id,
                                                      const Page& page) {
  if (page.count() == 0) return source_->Damaged(id, "a branch without child");
  Children children(page.count());
  for (int i = 0; i < page.count(); ++i) {
    Item item;
    if (!page.Get(i, &item)) return source_->Damaged(id, kOutside);
    children[i].key = item.key;
    children[i].page = item.child;
  }
  return children;
}

// Never one child alone.
bool TreeMerge::TooSmall(const Node& node) const {
  if (!node.leaf && node.count() < 2) return true;
  if (node.items.empty()) return true;
  return node.shrunk && NodeBytes(node) < source_->page_size() * kSmall;
}

bool TreeMerge::ArePacked(const Child& left, const Child& right) {
  return left.node && right.node && left.node->touched && right.node->touched;
}

Status TreeMerge::Join(Children* children) {
  for (size_t i = 0; i < children->size();) {
    Child& child = (*children)[i];
    const bool empty = child.node && child.node->count() == 0;
    const bool alone = children->size() == 1;
    if (empty) {
      children->erase(children->begin() + i);
    } else if (i > 0 && ArePacked((*children)[i - 1], child)) {
      RETURN_IF_ERROR(JoinWith(&(*children)[i - 1], &child));
      children->erase(children->begin() + i);
    } else if (!child.node || !TooSmall(*child.node) || alone) {
      ++i;
    } else {
      size_t left = i == 0 ? 0 : i - 1;
      RETURN_IF_ERROR(JoinWith(&(*children)[left], &(*children)[left + 1]));
      children->erase(children->begin() + left + 1);
      i = left;
    }
  }
  return Status::Ok();
}

// `right` becomes part of `left`.
Status TreeMerge::JoinWith(Child* left, Child* right) {
  for (Child* child : {left, right}) {
    if (!child->node) {
      ASSIGN_OR_RETURN(child->node, TakeApart(child->page));
    }
  }
  ASSIGN_OR_RETURN(left->node,
                   JoinNodes(std::move(*left->node), std::move(*right->node)));
  return Status::Ok();
}

StatusOr<Node> TreeMerge::JoinNodes(Node left, Node right) {
  if (left.leaf != right.leaf) {
    return source_->Damaged(PageId(0), "its tree has a leaf beside a branch");
  }
  left.shrunk |= right.shrunk;
  left.grown |= right.grown;
  left.rightmost |= right.rightmost;
  left.touched |= right.touched;
  if (left.only_child || right.only_child) {
    RETURN_IF_ERROR(JoinInside(&left, &right));
  }
  left.items.insert(left.items.end(), right.items.begin(), right.items.end());
  return left;
}

// One of the two has an only child, which must not stay alone: the children
// where they meet become one, and so on down. What comes of them is appended to
// `left`, or is its only child.
Status TreeMerge::JoinInside(Node* left, Node* right) {
  ASSIGN_OR_RETURN(Node inner, TakeEdge(left, /*last=*/true));
  while (right->count() > 0 && (inner.count() < 2 || right->only_child)) {
    ASSIGN_OR_RETURN(Node next, TakeEdge(right, /*last=*/false));
    ASSIGN_OR_RETURN(inner, JoinNodes(std::move(inner), std::move(next)));
  }
  while (left->count() > 0 && !inner.leaf && inner.count() < 2) {
    ASSIGN_OR_RETURN(Node before, TakeEdge(left, /*last=*/true));
    ASSIGN_OR_RETURN(inner, JoinNodes(std::move(before), std::move(inner)));
  }
  if (left->count() == 0 && right->count() == 0 && IsOnePiece(inner)) {
    left->only_child = std::make_unique<Node>(std::move(inner));
    return Status::Ok();
  }
  return WritePieces(std::move(inner), &left->items);
}

// Takes a node's first or last child out.
StatusOr<Node> TreeMerge::TakeEdge(Node* node, bool last) {
  if (node->only_child) {
    Node child = std::move(*std::exchange(node->only_child, {}));
    return child;
  }
  const auto edge = last ? node->items.end() - 1 : node->items.begin();
  const PageId page = edge->child;
  node->items.erase(edge);
  return TakeApart(page);
}

StatusOr<Node> TreeMerge::TakeApart(PageId id) {
  ASSIGN_OR_RETURN(Page page, sink_->ReadPage(id));
  Node node;
  node.leaf = page.is_leaf();
  if (!AppendItems(page, &node.items)) return source_->Damaged(id, kOutside);
  sink_->FreePage(id);
  return node;
}

StatusOr<Node> TreeMerge::WriteChildren(Children children, bool rightmost) {
  Node node;
  node.leaf = false;
  node.rightmost = rightmost;
  if (children.size() == 1 && children[0].node &&
      IsOnePiece(*children[0].node)) {
    node.only_child = std::make_unique<Node>(std::move(*children[0].node));
    return node;
  }
  for (Child& child : children) {
    if (child.node) {
      RETURN_IF_ERROR(WritePieces(std::move(*child.node), &node.items));
    } else {
      node.items.push_back(ChildItem(child.key, child.page));
    }
  }
  return node;
}

bool TreeMerge::IsOnePiece(const Node& node) const {
  return node.only_child || node.items.size() < 2 ||
         NodeBytes(node) <= RoomIn(source_->page_size());
}

Status TreeMerge::WritePieces(Node node, std::vector<Item>* items) {
  CHECK(node.leaf || node.items.size() >= 2) << "a branch with one child";
  for (const Node& piece : Pieces(std::move(node))) {
    ASSIGN_OR_RETURN(PageId id, sink_->WriteNode(piece));
    items->push_back(ChildItem(piece.items[0].key, id));
  }
  return Status::Ok();
}

std::vector<Node> TreeMerge::Pieces(Node node) const {
  const bool middle = node.grown && !node.rightmost;
  return Split(std::move(node), source_->page_size(),
               middle ? kMiddleFill : fill_);
}

}  // namespace strata::btree
