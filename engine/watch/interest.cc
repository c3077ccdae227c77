#include "engine/watch/interest.h"

#include <utility>

#include "base/check.h"

namespace strata {

InterestIndex::InterestIndex(uint64_t random_seed) : random_(random_seed) {}

InterestIndex::~InterestIndex() = default;

Interest* InterestIndex::Add(const KeyRange& range, Watcher* watcher) {
  Interest* found;
  if (range.single()) {
    const auto at = keys_.find(range.key);
    found = at != keys_.end() ? &at->second : &keys_[std::string(range.key)];
    if (found->watchers.empty()) found->key = range.key;
  } else {
    Interest wanted{.key = std::string(range.key),
                    .end = range.open_ended() ? "" : std::string(range.end),
                    .open = range.open_ended(),
                    .watchers = {}};
    Node* at = Find(root_.get(), wanted);
    if (at == nullptr) {
      auto node = std::make_unique<Node>();
      node->interest = std::move(wanted);
      node->priority = random_.Next();
      at = node.get();
      Update(at);
      Insert(&root_, std::move(node));
    }
    found = &at->interest;
  }
  found->watchers.push_back(watcher);
  return found;
}

Watcher* InterestIndex::Remove(Interest* interest, size_t slot) {
  std::vector<Watcher*>& watchers = interest->watchers;
  CHECK_LT(slot, watchers.size());
  Watcher* const moved = watchers.back();
  const bool last = slot + 1 == watchers.size();
  watchers[slot] = moved;
  watchers.pop_back();
  if (watchers.empty()) {
    if (interest->open || !interest->end.empty()) {
      Erase(&root_, *interest);
    } else {
      keys_.erase(keys_.find(interest->key));
    }
  }
  return last ? nullptr : moved;
}

int InterestIndex::Order(const Interest& a, const Interest& b) {
  if (const int order = a.key.compare(b.key); order != 0) return order;
  if (a.open != b.open) return a.open ? 1 : -1;
  return a.end.compare(b.end);
}

bool InterestIndex::EndsLater(const Interest& a, const Interest& b) {
  return !b.open && (a.open || a.end > b.end);
}

void InterestIndex::Update(Node* node) {
  node->last = &node->interest;
  for (const Node* child : {node->left.get(), node->right.get()}) {
    if (child != nullptr && EndsLater(*child->last, *node->last)) {
      node->last = child->last;
    }
  }
}

InterestIndex::Node* InterestIndex::Find(Node* node, const Interest& interest) {
  while (node != nullptr) {
    const int order = Order(interest, node->interest);
    if (order == 0) return node;
    node = order < 0 ? node->left.get() : node->right.get();
  }
  return nullptr;
}

// Into the nodes before `at` and those after it. REQUIRES: `at` is not there
void InterestIndex::Split(std::unique_ptr<Node> node, const Interest& at,
                          std::unique_ptr<Node>* before,
                          std::unique_ptr<Node>* after) {
  if (node == nullptr) {
    before->reset();
    after->reset();
    return;
  }
  std::unique_ptr<Node> rest;
  if (Order(node->interest, at) < 0) {
    Split(std::move(node->right), at, &rest, after);
    node->right = std::move(rest);
    *before = std::move(node);
    Update(before->get());
  } else {
    Split(std::move(node->left), at, before, &rest);
    node->left = std::move(rest);
    *after = std::move(node);
    Update(after->get());
  }
}

// REQUIRES: all of `a` is before all of `b`
std::unique_ptr<InterestIndex::Node> InterestIndex::Merge(
    std::unique_ptr<Node> a, std::unique_ptr<Node> b) {
  if (a == nullptr) return b;
  if (b == nullptr) return a;
  if (a->priority > b->priority) {
    a->right = Merge(std::move(a->right), std::move(b));
    Update(a.get());
    return a;
  }
  b->left = Merge(std::move(a), std::move(b->left));
  Update(b.get());
  return b;
}

void InterestIndex::Insert(std::unique_ptr<Node>* root,
                           std::unique_ptr<Node> node) {
  Node* const at = root->get();
  if (at == nullptr || node->priority > at->priority) {
    std::unique_ptr<Node> before, after;
    Split(std::move(*root), node->interest, &before, &after);
    node->left = std::move(before);
    node->right = std::move(after);
    *root = std::move(node);
    Update(root->get());
    return;
  }
  const bool before = Order(node->interest, at->interest) < 0;
  Insert(before ? &at->left : &at->right, std::move(node));
  Update(at);
}

// REQUIRES: it is there
void InterestIndex::Erase(std::unique_ptr<Node>* root,
                          const Interest& interest) {
  Node* const at = root->get();
  CHECK(at != nullptr);
  const int order = Order(interest, at->interest);
  if (order == 0) {
    auto erased = std::move(*root);  // `interest` may be its own
    *root = Merge(std::move(erased->left), std::move(erased->right));
    return;
  }
  Erase(order < 0 ? &at->left : &at->right, interest);
  Update(at);
}

void InterestIndex::CheckNode(const Node* node) {
  CHECK(!node->interest.watchers.empty());
  const Interest* last = &node->interest;
  for (const Node* child : {node->left.get(), node->right.get()}) {
    if (child == nullptr) continue;
    CheckNode(child);
    CHECK_LE(child->priority, node->priority);
    const int order = Order(child->interest, node->interest);
    CHECK(child == node->left.get() ? order < 0 : order > 0);
    if (EndsLater(*child->last, *last)) last = child->last;
  }
  CHECK(!EndsLater(*last, *node->last) && !EndsLater(*node->last, *last));
}

void InterestIndex::Check() const {
  if (root_ != nullptr) CheckNode(root_.get());
  for (const auto& [key, interest] : keys_) {
    CHECK(!interest.watchers.empty() && interest.key == key);
  }
}

}  // namespace strata
