#ifndef STRATA_ENGINE_KEY_INDEX_H_
#define STRATA_ENGINE_KEY_INDEX_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/key_history.h"
#include "engine/key_slots.h"
#include "engine/requests.h"

namespace strata {

// A key and its history, in one block of memory.
class KeyRecord {
 public:
  static KeyRecord* New(std::string_view key);
  static void Delete(KeyRecord* record);

  std::string_view key() const {
    return {reinterpret_cast<const char*>(this + 1), key_size_};
  }

  KeyHistory history;

 private:
  explicit KeyRecord(size_t key_size)
      : key_size_(static_cast<uint32_t>(key_size)) {}
  ~KeyRecord() = default;

  uint32_t key_size_;
};

// From key to history, in key order: a B+tree whose inner nodes count the keys
// below them that exist after their last change, so that CountLive costs no
// more than a search.
//
// Not thread-safe: its owner's lock guards it, shared for the const methods. A
// record stays where it is until a compaction empties it.
class KeyIndex {
 public:
  class Cursor;

  KeyIndex();
  ~KeyIndex();
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  KeyState Put(std::string_view key, ChangeId id);
  // REQUIRES: the key exists
  void Delete(std::string_view key, ChangeId id);

  // As Put and Delete, for what is read from the key table at open. False for
  // a tombstone of a key that is not known or deleted already, which a
  // compaction that a crash interrupted leaves behind; such a tombstone is
  // kept as a key's first change if `keep_tombstone` and the key is not known.
  // The changes of a key in their order; keys in any order, best in that of
  // their names.
  void Restore(std::string_view key, ChangeId id, Revision create_revision,
               int64_t version);
  bool RestoreTombstone(std::string_view key, ChangeId id, bool keep_tombstone);

  // Nothing if the key does not exist at `at`.
  std::optional<KeyState> Get(std::string_view key, Revision at) const {
    const KeyRecord* record = Find(key);
    return record == nullptr ? std::nullopt : record->history.Get(at);
  }
  // Null if the index has no such key.
  const KeyRecord* Find(std::string_view key) const;

  // At the first key >= `key`; at the last key < `key`.
  Cursor LowerBound(std::string_view key) const;
  Cursor Before(std::string_view key) const;
  Cursor First() const;
  Cursor Last() const;

  // The keys of the range that exist after all changes so far.
  uint64_t CountLive(const KeyRange& range) const;
  uint64_t live() const { return root_live_; }
  // With deleted ones that no compaction has removed yet.
  uint64_t size() const { return size_; }
  // Of the last change.
  Revision newest() const { return newest_; }

  // Compacts about `max_keys` keys from `*resume` on, and sets it to where to
  // go on; true when it has come to the end. See KeyHistory::Compact.
  bool CompactStep(Revision at, bool keep_tombstone, size_t max_keys,
                   std::string* resume, std::vector<RemovedChange>* removed);

  // Aborts if what must hold does not.
  void Check() const;

 private:
  static constexpr size_t kFanout = 64;
  static constexpr size_t kMaxDepth = 16;

  struct Node;
  struct Leaf;
  struct Inner;
  struct Separator;
  // The way from the root to a leaf, and the slot taken in each inner node.
  struct Path {
    size_t depth = 0;
    std::array<Inner*, kMaxDepth> nodes;
    std::array<size_t, kMaxDepth> slots;
  };

  Leaf* Descend(std::string_view key, Path* path) const;
  // Finds the key's record, or makes one, and says where it is.
  KeyRecord* FindOrAdd(std::string_view key, Path* path, Leaf** leaf,
                       size_t* slot);
  // Brings the bit and the counts up to date with the record's history.
  void UpdateLive(Leaf* leaf, size_t slot, const Path& path);
  void SplitLeaf(Leaf* leaf, size_t slot, std::string_view key,
                 const Path& path);
  void AddChild(const Path& path, size_t level, Separator* separator,
                Node* child, uint64_t child_live);
  void GrowRoot(Separator* separator, Node* child, uint64_t child_live);
  void RemoveChild(const Path& path, size_t level, size_t slot);
  void RemoveNext(Leaf* leaf, const Path& path);
  void CompactLeaf(Leaf* leaf, Revision at, bool keep_tombstone,
                   std::vector<RemovedChange>* removed);
  void TidyLeaf(Leaf* leaf, const Path& path);
  uint64_t LiveBefore(std::string_view key) const;
  // Both return the live keys below.
  uint64_t CheckNode(const Node* node, size_t level, uint64_t* keys) const;
  uint64_t CheckLeaf(const Leaf& leaf) const;
  void DeleteNode(Node* node, size_t level);

  Node* root_;
  size_t height_ = 0;  // of inner nodes
  uint64_t root_live_ = 0;
  uint64_t size_ = 0;
  Revision newest_;

 public:
  // A place in the index; invalid after any change to it.
  class Cursor {
   public:
    Cursor() = default;
    bool Valid() const { return leaf_ != nullptr; }
    // REQUIRES: Valid()
    const KeyRecord& operator*() const;
    const KeyRecord* operator->() const { return &**this; }
    void Next();
    void Prev();

   private:
    friend class KeyIndex;
    Cursor(const Leaf* leaf, size_t slot) : leaf_(leaf), slot_(slot) {}
    const Leaf* leaf_ = nullptr;
    size_t slot_ = 0;
  };
};

}  // namespace strata

#endif  // STRATA_ENGINE_KEY_INDEX_H_
