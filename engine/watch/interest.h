#ifndef STRATA_ENGINE_WATCH_INTEREST_H_
#define STRATA_ENGINE_WATCH_INTEREST_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "engine/requests.h"

namespace strata {

struct Watcher;

// A key or a range, and those who watch just that.
struct Interest {
  std::string key;
  std::string end;    // empty: the one key
  bool open = false;  // no end: all from `key` on
  std::vector<Watcher*> watchers;
};

// From a changed key to the watchers it concerns: a hash map of single keys,
// and a treap of ranges that knows the greatest end below each node. To find
// what concerns a key costs O(log ranges) for each range that does.
//
// Not thread-safe. An Interest stays where it is while it has a watcher.
class InterestIndex {
 public:
  explicit InterestIndex(uint64_t random_seed);
  ~InterestIndex();
  InterestIndex(const InterestIndex&) = delete;
  InterestIndex& operator=(const InterestIndex&) = delete;

  // The range as etcd has it (engine/requests.h). REQUIRES: it is not empty
  Interest* Add(const KeyRange& range, Watcher* watcher);
  // Takes out the watcher at `slot`; the last one takes its place and is
  // returned, or null if there is none.
  Watcher* Remove(Interest* interest, size_t slot);

  // Calls `visit(Watcher*)` for each watcher of a range that has `key`.
  template <typename Visit>
  void ForEach(std::string_view key, const Visit& visit) const {
    const auto found = keys_.find(key);
    if (found != keys_.end()) {
      for (Watcher* watcher : found->second.watchers) visit(watcher);
    }
    Stab(root_.get(), key, visit);
  }

  // Aborts if what must hold does not.
  void Check() const;

 private:
  struct Node {
    Interest interest;
    uint64_t priority = 0;
    // The node with the greatest end here and below.
    const Interest* last = nullptr;
    std::unique_ptr<Node> left, right;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>()(key);
    }
  };

  template <typename Visit>
  static void Stab(const Node* node, std::string_view key, const Visit& visit) {
    while (node != nullptr && Ends(*node->last, key)) {
      Stab(node->left.get(), key, visit);
      if (key < node->interest.key) return;
      if (Ends(node->interest, key)) {
        for (Watcher* watcher : node->interest.watchers) visit(watcher);
      }
      node = node->right.get();
    }
  }

  // Whether it ends after `key`.
  static bool Ends(const Interest& interest, std::string_view key) {
    return interest.open || key < interest.end;
  }
  // The order of the nodes: -1, 0 or 1.
  static int Order(const Interest& a, const Interest& b);
  static bool EndsLater(const Interest& a, const Interest& b);
  static void Update(Node* node);
  static Node* Find(Node* node, const Interest& interest);
  static void Split(std::unique_ptr<Node> node, const Interest& at,
                    std::unique_ptr<Node>* before,
                    std::unique_ptr<Node>* after);
  static std::unique_ptr<Node> Merge(std::unique_ptr<Node> a,
                                     std::unique_ptr<Node> b);
  static void Insert(std::unique_ptr<Node>* root, std::unique_ptr<Node> node);
  static void Erase(std::unique_ptr<Node>* root, const Interest& interest);
  static void CheckNode(const Node* node);

  std::unordered_map<std::string, Interest, Hash, std::equal_to<>> keys_;
  std::unique_ptr<Node> root_;
  Random random_;
};

}  // namespace strata

#endif  // STRATA_ENGINE_WATCH_INTEREST_H_
