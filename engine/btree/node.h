#ifndef STRATA_ENGINE_BTREE_NODE_H_
#define STRATA_ENGINE_BTREE_NODE_H_

#include <memory>
#include <string_view>
#include <vector>

#include "engine/btree/page.h"

namespace strata::btree {

// A branch or leaf taken apart for change, of any size: Split() cuts it into
// pieces that become pages. Its keys and values are borrowed from the page it
// came from and from the batch. Used by one thread.
struct Node {
  bool leaf = true;
  // Whether something was taken out or put in, and whether it is the last node
  // of its level.
  bool shrunk = false;
  bool grown = false;
  bool rightmost = false;
  bool touched = false;  // a leaf that is written anew in any case
  std::vector<Item> items;
  // A branch left with one child that is itself still a node: its parent must
  // merge it with a sibling, or, at the root, put the child in its place.
  std::unique_ptr<Node> only_child;

  size_t count() const { return only_child ? 1 : items.size(); }
};

// False if an element leads outside the page.
bool AppendItems(const Page& page, std::vector<Item>* items);

inline size_t ItemBytes(const Item& item) {
  return kElementBytes + item.key.size() + item.value.size();
}
// Of the page it would make.
size_t NodeBytes(const Node& node);

// Writes the node as a page, without its sum; `out` has NodeBytes() and more,
// all zero.
// REQUIRES: !node.only_child and at most kMaxElements items
void EncodeNode(const Node& node, PageId id, uint32_t overflow, char* out);

// Pieces of the same tree level, in order, each of a page or, where single
// items are large, a page with overflow. A node that fits in one page, with its
// sum, stays whole; else each piece but the last is filled to `fill` of a page.
// A branch piece has at least two children, if the node has.
std::vector<Node> Split(Node node, uint32_t page_size, double fill);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_NODE_H_
