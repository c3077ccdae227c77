#ifndef STRATA_ENGINE_BTREE_TREE_H_
#define STRATA_ENGINE_BTREE_TREE_H_

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/btree/node.h"

namespace strata::btree {

// What becomes of one key. The bytes are borrowed.
struct Change {
  std::string_view key;
  std::string_view value;
  bool erase = false;
  uint32_t flags = 0;  // of the element: kBucketFlag or 0
  // Nothing changes, but the leaf that the key belongs to is written anew, as
  // one with its neighbours for which that is said too.
  bool touch = false;
};

// Where a merge puts the nodes it made, and tells which pages it left.
class NodeSink {
 public:
  virtual ~NodeSink() = default;
  virtual StatusOr<PageId> WriteNode(const Node& node) = 0;
  // A page as it is now: WriteNode() may have made it.
  virtual StatusOr<Page> ReadPage(PageId id) = 0;
  // The page is no longer part of the tree; what was read from it stays valid.
  virtual void FreePage(PageId id) = 0;
};

// Merges a batch of changes into one copy-on-write tree, in one walk from the
// root: each page that a change belongs to is taken apart once, merged with its
// changes, joined with a sibling if it became too small, split if it became too
// large, and written to new pages. Nothing is written in place. Used by one
// thread.
//
//   merge(branch) = for each child with changes: merge(child)
//                   join small children; split and write the changed ones
//                   -> the branch as a node, which its own parent writes
class TreeMerge {
 public:
  // `fill`: how full the pages of a split are, 0.1 to 1.
  TreeMerge(const PageSource* source, NodeSink* sink, double fill)
      : source_(source), sink_(sink), fill_(fill) {}

  // The tree's new root as a node not yet written; nothing if no change made a
  // difference. REQUIRES: `changes` sorted by key, no key twice.
  StatusOr<std::optional<Node>> Merge(PageId root,
                                      std::span<const Change> changes);

  // The same for a bucket that is one leaf inside a value on page `id`.
  StatusOr<std::optional<Node>> MergeInline(PageId id, const Page& leaf,
                                            std::span<const Change> changes);

  // Writes what a merge returned; the id of the root page.
  StatusOr<PageId> WriteRoot(Node root);

 private:
  struct Child {
    std::string_view key;
    PageId page;
    std::optional<Node> node;  // if it is no longer what is on `page`
  };
  using Children = std::vector<Child>;

  StatusOr<std::optional<Node>> MergePage(PageId id,
                                          std::span<const Change> changes,
                                          bool rightmost, int depth);
  StatusOr<std::optional<Node>> MergeLeaf(PageId id, const Page& page,
                                          std::span<const Change> changes);
  StatusOr<std::optional<Node>> MergeBranch(PageId id, const Page& page,
                                            std::span<const Change> changes,
                                            bool rightmost, int depth);
  StatusOr<Children> ReadChildren(PageId id, const Page& page);

  // Joins children that became too small with a neighbour, drops empty ones.
  Status Join(Children* children);
  bool TooSmall(const Node& node) const;
  static bool ArePacked(const Child& left, const Child& right);
  Status JoinWith(Child* left, Child* right);
  StatusOr<Node> JoinNodes(Node left, Node right);
  Status JoinInside(Node* left, Node* right);
  StatusOr<Node> TakeEdge(Node* node, bool last);
  StatusOr<Node> TakeApart(PageId id);

  // Writes the changed children and makes the node that points to all.
  StatusOr<Node> WriteChildren(Children children, bool rightmost);
  bool IsOnePiece(const Node& node) const;
  Status WritePieces(Node node, std::vector<Item>* items);
  std::vector<Node> Pieces(Node node) const;

  const PageSource* const source_;
  NodeSink* const sink_;
  const double fill_;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_TREE_H_
