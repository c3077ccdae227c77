#include "engine/btree/node.h"

#include <algorithm>
#include <utility>

#include "engine/btree/sum.h"

namespace strata::btree {
namespace {

Node EmptyPieceOf(const Node& node) {
  Node piece;
  piece.leaf = node.leaf;
  return piece;
}

}  // namespace

bool AppendItems(const Page& page, std::vector<Item>* items) {
  items->reserve(items->size() + page.count() + 1);
  for (int i = 0; i < page.count(); ++i) {
    Item item;
    if (!page.Get(i, &item)) return false;
    items->push_back(item);
  }
  return true;
}

size_t NodeBytes(const Node& node) {
  size_t bytes = kHeaderBytes;
  for (const Item& item : node.items) bytes += ItemBytes(item);
  return bytes;
}

void EncodeNode(const Node& node, PageId id, uint32_t overflow, char* out) {
  CHECK(!node.only_child && node.items.size() <= kMaxElements);
  PageHeader header = {id.value(), node.leaf ? kLeafPage : kBranchPage,
                       static_cast<uint16_t>(node.items.size()), overflow};
  std::memcpy(out, &header, sizeof header);
  char* element = out + kHeaderBytes;
  char* data = element + node.items.size() * kElementBytes;
  for (const Item& item : node.items) {
    auto position = static_cast<uint32_t>(data - element);
    auto key_bytes = static_cast<uint32_t>(item.key.size());
    if (node.leaf) {
      LeafElement leaf = {item.flags, position, key_bytes,
                          static_cast<uint32_t>(item.value.size())};
      std::memcpy(element, &leaf, sizeof leaf);
    } else {
      BranchElement branch = {position, key_bytes, item.child.value()};
      std::memcpy(element, &branch, sizeof branch);
    }
    std::memcpy(data, item.key.data(), item.key.size());
    data += item.key.size();
    if (!item.value.empty()) {
      std::memcpy(data, item.value.data(), item.value.size());
    }
    data += item.value.size();
    element += kElementBytes;
  }
}

std::vector<Node> Split(Node node, uint32_t page_size, double fill) {
  size_t rest = NodeBytes(node);  // what is not yet in a finished piece
  const size_t room = RoomIn(page_size);
  std::vector<Node> pieces;
  if (rest <= room && node.items.size() <= kMaxElements) {
    pieces.push_back(std::move(node));
    return pieces;
  }
  const size_t least = node.leaf ? 1 : 2;
  const auto threshold = std::min(static_cast<size_t>(page_size * fill), room);
  Node piece = EmptyPieceOf(node);
  size_t bytes = kHeaderBytes;
  for (size_t i = 0; i < node.items.size(); ++i) {
    size_t item = ItemBytes(node.items[i]);
    bool full = bytes + item > threshold || piece.items.size() == kMaxElements;
    bool rest_fits = rest <= room &&
                     node.items.size() - i + piece.items.size() <= kMaxElements;
    if (full && !rest_fits && piece.items.size() >= least &&
        node.items.size() - i >= least) {
      rest -= bytes - kHeaderBytes;
      pieces.push_back(std::exchange(piece, EmptyPieceOf(node)));
      bytes = kHeaderBytes;
    }
    piece.items.push_back(node.items[i]);
    bytes += item;
  }
  pieces.push_back(std::move(piece));
  return pieces;
}

}  // namespace strata::btree
