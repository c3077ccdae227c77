#include "engine/key_index.h"

#include <algorithm>
#include <bit>
#include <new>

#include "base/check.h"

namespace strata {

KeyRecord* KeyRecord::New(std::string_view key) {
  void* memory = ::operator new(sizeof(KeyRecord) + key.size());
  auto* record = new (memory) KeyRecord(key.size());
  std::memcpy(static_cast<void*>(record + 1), key.data(), key.size());
  return record;
}

void KeyRecord::Delete(KeyRecord* record) {
  record->~KeyRecord();
  ::operator delete(record);
}

// The height says whether a node is a leaf.
struct KeyIndex::Node {};

// Only the root may be empty.
struct KeyIndex::Leaf : Node {
  KeySlots<KeyRecord, kFanout> records;
  uint64_t live = 0;  // bit i: record i exists now
  Leaf* next = nullptr;
  Leaf* prev = nullptr;
};

// All keys of child i are < separator i <= all keys of child i + 1.
struct KeyIndex::Separator {
  explicit Separator(std::string_view key) : text(key) {}
  std::string_view key() const { return text; }
  const std::string text;
};

struct KeyIndex::Inner : Node {
  size_t size() const { return separators.size() + 1; }

  KeySlots<Separator, kFanout - 1> separators;
  Node* children[kFanout];
  uint64_t live[kFanout];  // existing keys below each child
};

namespace {

// The shortest text with left < text <= right.
std::string_view Between(std::string_view left, std::string_view right) {
  size_t i = 0;
  while (i < left.size() && left[i] == right[i]) ++i;
  return right.substr(0, i + 1);
}

uint64_t BitsBelow(size_t bit) {
  return bit >= 64 ? ~uint64_t{0} : (uint64_t{1} << bit) - 1;
}

}  // namespace

KeyIndex::KeyIndex() : root_(new Leaf) { static_assert(kFanout <= 64); }

KeyIndex::~KeyIndex() { DeleteNode(root_, 0); }

void KeyIndex::DeleteNode(Node* node, size_t level) {
  if (level == height_) {
    auto* leaf = static_cast<Leaf*>(node);
    for (size_t i = 0; i < leaf->records.size(); ++i) {
      KeyRecord::Delete(leaf->records[i]);
    }
    delete leaf;
    return;
  }
  auto* inner = static_cast<Inner*>(node);
  for (size_t i = 0; i < inner->size(); ++i) {
    DeleteNode(inner->children[i], level + 1);
    if (i > 0) delete inner->separators[i - 1];
  }
  delete inner;
}

// --- searching ---

KeyIndex::Leaf* KeyIndex::Descend(std::string_view key, Path* path) const {
  Node* node = root_;
  path->depth = height_;
  for (size_t level = 0; level < height_; ++level) {
    auto* inner = static_cast<Inner*>(node);
    const size_t slot = inner->separators.UpperBound(key);
    path->nodes[level] = inner;
    path->slots[level] = slot;
    node = inner->children[slot];
  }
  return static_cast<Leaf*>(node);
}

const KeyRecord* KeyIndex::Find(std::string_view key) const {
  Path path;
  const Leaf* leaf = Descend(key, &path);
  const size_t slot = leaf->records.Find(key);
  return slot == leaf->records.kNowhere ? nullptr : leaf->records[slot];
}

KeyIndex::Cursor KeyIndex::LowerBound(std::string_view key) const {
  Path path;
  const Leaf* leaf = Descend(key, &path);
  bool found;
  const size_t slot = leaf->records.LowerBound(key, &found);
  if (slot < leaf->records.size()) return Cursor(leaf, slot);
  return Cursor(leaf->next, 0);
}

KeyIndex::Cursor KeyIndex::Before(std::string_view key) const {
  Path path;
  const Leaf* leaf = Descend(key, &path);
  bool found;
  Cursor cursor(leaf, leaf->records.LowerBound(key, &found));
  cursor.Prev();
  return cursor;
}

KeyIndex::Cursor KeyIndex::First() const {
  return LowerBound(std::string_view());
}

KeyIndex::Cursor KeyIndex::Last() const {
  const Node* node = root_;
  for (size_t level = 0; level < height_; ++level) {
    auto* inner = static_cast<const Inner*>(node);
    node = inner->children[inner->size() - 1];
  }
  auto* leaf = static_cast<const Leaf*>(node);
  Cursor cursor(leaf, leaf->records.size());
  cursor.Prev();
  return cursor;
}

const KeyRecord& KeyIndex::Cursor::operator*() const {
  return *leaf_->records[slot_];
}

void KeyIndex::Cursor::Next() {
  if (++slot_ < leaf_->records.size()) return;
  leaf_ = leaf_->next;
  slot_ = 0;
}

void KeyIndex::Cursor::Prev() {
  if (slot_ == 0) {
    leaf_ = leaf_->prev;
    slot_ = leaf_ == nullptr ? 0 : leaf_->records.size();
  }
  if (leaf_ != nullptr) --slot_;
}

uint64_t KeyIndex::LiveBefore(std::string_view key) const {
  Path path;
  const Leaf* leaf = Descend(key, &path);
  bool found;
  const size_t slot = leaf->records.LowerBound(key, &found);
  uint64_t live = std::popcount(leaf->live & BitsBelow(slot));
  for (size_t level = 0; level < path.depth; ++level) {
    const Inner* inner = path.nodes[level];
    for (size_t i = 0; i < path.slots[level]; ++i) live += inner->live[i];
  }
  return live;
}

uint64_t KeyIndex::CountLive(const KeyRange& range) const {
  if (range.single()) {
    const KeyRecord* record = Find(range.key);
    return record != nullptr && record->history.live() ? 1 : 0;
  }
  const uint64_t before = LiveBefore(range.key);
  const uint64_t end = range.open_ended() ? root_live_ : LiveBefore(range.end);
  return end > before ? end - before : 0;
}

// --- growing ---

KeyState KeyIndex::Put(std::string_view key, ChangeId id) {
  Path path;
  Leaf* leaf;
  size_t slot;
  KeyRecord* record = FindOrAdd(key, &path, &leaf, &slot);
  newest_ = id.main;
  const KeyState state = record->history.Put(id);
  UpdateLive(leaf, slot, path);
  return state;
}

void KeyIndex::Delete(std::string_view key, ChangeId id) {
  Path path;
  Leaf* leaf = Descend(key, &path);
  bool found;
  const size_t slot = leaf->records.LowerBound(key, &found);
  CHECK(found) << "delete of a key that is not known";
  newest_ = id.main;
  leaf->records[slot]->history.Delete(id);
  UpdateLive(leaf, slot, path);
}

void KeyIndex::Restore(std::string_view key, ChangeId id,
                       Revision create_revision, int64_t version) {
  Path path;
  Leaf* leaf;
  size_t slot;
  KeyRecord* record = FindOrAdd(key, &path, &leaf, &slot);
  newest_ = std::max(newest_, id.main);
  if (record->history.empty()) {
    record->history.Restore(id, create_revision, version);
  } else {
    record->history.Put(id);
  }
  UpdateLive(leaf, slot, path);
}

bool KeyIndex::RestoreTombstone(std::string_view key, ChangeId id,
                                bool keep_tombstone) {
  newest_ = std::max(newest_, id.main);
  const KeyRecord* known = Find(key);
  if (known != nullptr && known->history.live()) {
    const Revision newest = newest_;
    Delete(key, id);
    newest_ = newest;
    return true;
  }
  if (known != nullptr || !keep_tombstone) return false;
  Path path;
  Leaf* leaf;
  size_t slot;
  FindOrAdd(key, &path, &leaf, &slot)->history.RestoreTombstone(id);
  return true;
}

KeyRecord* KeyIndex::FindOrAdd(std::string_view key, Path* path, Leaf** leaf,
                               size_t* slot) {
  *leaf = Descend(key, path);
  bool found;
  *slot = (*leaf)->records.LowerBound(key, &found);
  if (found) return (*leaf)->records[*slot];
  if ((*leaf)->records.full()) {
    SplitLeaf(*leaf, *slot, key, *path);
    *leaf = Descend(key, path);
    *slot = (*leaf)->records.LowerBound(key, &found);
  }
  KeyRecord* record = KeyRecord::New(key);
  (*leaf)->records.Insert(*slot, record);
  const uint64_t below = (*leaf)->live & BitsBelow(*slot);
  (*leaf)->live = below | ((*leaf)->live & ~BitsBelow(*slot)) << 1;
  ++size_;
  return record;
}

void KeyIndex::UpdateLive(Leaf* leaf, size_t slot, const Path& path) {
  const uint64_t bit = uint64_t{1} << slot;
  const bool now = leaf->records[slot]->history.live();
  if (now == ((leaf->live & bit) != 0)) return;
  leaf->live ^= bit;
  const uint64_t change = now ? 1 : ~uint64_t{0};
  for (size_t level = 0; level < path.depth; ++level) {
    path.nodes[level]->live[path.slots[level]] += change;
  }
  root_live_ += change;
}

// Makes room where `key` belongs, which is at `slot`. Keys that come in order
// leave full leaves behind.
void KeyIndex::SplitLeaf(Leaf* leaf, size_t slot, std::string_view key,
                         const Path& path) {
  const bool append = slot == kFanout && leaf->next == nullptr;
  const size_t from = append ? kFanout : kFanout / 2;
  auto* right = new Leaf;
  auto* separator =
      new Separator(Between(leaf->records[from - 1]->key(),
                            append ? key : leaf->records[from]->key()));
  leaf->records.MoveTail(from, &right->records);
  right->live = append ? 0 : leaf->live >> from;
  leaf->live &= BitsBelow(from);
  right->next = leaf->next;
  right->prev = leaf;
  if (leaf->next != nullptr) leaf->next->prev = right;
  leaf->next = right;
  AddChild(path, path.depth, separator, right, std::popcount(right->live));
}

// Puts `child` to the right of the one the path took at `level`, from which its
// keys come. Invalidates the path.
void KeyIndex::AddChild(const Path& path, size_t level, Separator* separator,
                        Node* child, uint64_t child_live) {
  if (level == 0) return GrowRoot(separator, child, child_live);
  Inner* parent = path.nodes[level - 1];
  size_t slot = path.slots[level - 1];
  parent->live[slot] -= child_live;
  if (parent->size() == kFanout) {
    constexpr size_t kHalf = kFanout / 2;
    auto* right = new Inner;
    parent->separators.MoveTail(kHalf, &right->separators);
    Separator* middle = parent->separators[kHalf - 1];
    parent->separators.Erase(kHalf - 1);
    std::copy(parent->children + kHalf, parent->children + kFanout,
              right->children);
    std::copy(parent->live + kHalf, parent->live + kFanout, right->live);
    uint64_t right_live = 0;
    for (size_t i = 0; i < kHalf; ++i) right_live += right->live[i];
    const bool goes_right = slot >= kHalf;
    // The new child's keys are in neither count yet.
    AddChild(path, level - 1, middle, right,
             right_live + (goes_right ? child_live : 0));
    if (goes_right) {
      parent = right;
      slot -= kHalf;
    }
  }
  const size_t size = parent->size();
  std::copy_backward(parent->children + slot + 1, parent->children + size,
                     parent->children + size + 1);
  std::copy_backward(parent->live + slot + 1, parent->live + size,
                     parent->live + size + 1);
  parent->children[slot + 1] = child;
  parent->live[slot + 1] = child_live;
  parent->separators.Insert(slot, separator);
}

void KeyIndex::GrowRoot(Separator* separator, Node* child,
                        uint64_t child_live) {
  CHECK_LT(height_, kMaxDepth);
  auto* root = new Inner;
  root->children[0] = root_;
  root->live[0] = root_live_ - child_live;
  root->children[1] = child;
  root->live[1] = child_live;
  root->separators.Insert(0, separator);
  root_ = root;
  ++height_;
}

// --- compaction ---

bool KeyIndex::CompactStep(Revision at, bool keep_tombstone, size_t max_keys,
                           std::string* resume,
                           std::vector<RemovedChange>* removed) {
  size_t keys = 0;
  while (keys < max_keys) {
    Path path;
    Leaf* leaf = Descend(*resume, &path);
    keys += leaf->records.size();
    CompactLeaf(leaf, at, keep_tombstone, removed);
    const bool end = leaf->next == nullptr;
    if (!end) *resume = leaf->next->records[0]->key();
    TidyLeaf(leaf, path);
    if (end) return true;
  }
  return false;
}

void KeyIndex::CompactLeaf(Leaf* leaf, Revision at, bool keep_tombstone,
                           std::vector<RemovedChange>* removed) {
  for (size_t i = leaf->records.size(); i-- > 0;) {
    KeyRecord* record = leaf->records[i];
    record->history.Compact(at, keep_tombstone, removed);
    if (!record->history.empty()) continue;
    leaf->records.Erase(i);
    leaf->live = (leaf->live & BitsBelow(i)) |
                 (i == 63 ? 0 : leaf->live >> (i + 1) << i);
    KeyRecord::Delete(record);
    --size_;
  }
}

// Takes in the next leaf if both together are at most half full, and goes if
// nothing is left.
void KeyIndex::TidyLeaf(Leaf* leaf, const Path& path) {
  if (path.depth == 0) return;
  const size_t level = path.depth - 1;
  Inner* parent = path.nodes[level];
  const size_t slot = path.slots[level];
  if (slot + 1 < parent->size() &&
      leaf->records.size() + leaf->next->records.size() <= kFanout / 2) {
    RemoveNext(leaf, path);
  }
  if (leaf->records.size() > 0) return;
  if (leaf->prev != nullptr) leaf->prev->next = leaf->next;
  if (leaf->next != nullptr) leaf->next->prev = leaf->prev;
  delete leaf;
  RemoveChild(path, level, slot);
}

void KeyIndex::RemoveNext(Leaf* leaf, const Path& path) {
  const size_t level = path.depth - 1;
  Inner* parent = path.nodes[level];
  const size_t slot = path.slots[level];
  Leaf* next = leaf->next;
  leaf->live |= next->live << leaf->records.size();
  next->records.MoveTail(0, &leaf->records);
  leaf->next = next->next;
  if (next->next != nullptr) next->next->prev = leaf;
  delete next;
  parent->live[slot] += parent->live[slot + 1];
  parent->live[slot + 1] = 0;
  RemoveChild(path, level, slot + 1);
}

// REQUIRES: the child at `slot` has no live keys and is deleted already
void KeyIndex::RemoveChild(const Path& path, size_t level, size_t slot) {
  Inner* inner = path.nodes[level];
  if (inner->size() == 1) {
    delete inner;
    RemoveChild(path, level - 1, path.slots[level - 1]);
    return;
  }
  const size_t size = inner->size();
  std::copy(inner->children + slot + 1, inner->children + size,
            inner->children + slot);
  std::copy(inner->live + slot + 1, inner->live + size, inner->live + slot);
  const size_t separator = slot == 0 ? 0 : slot - 1;
  delete inner->separators[separator];
  inner->separators.Erase(separator);
  while (height_ > 0 && static_cast<Inner*>(root_)->size() == 1) {
    auto* old = static_cast<Inner*>(root_);
    root_ = old->children[0];
    --height_;
    delete old;
  }
}

// --- checking ---

void KeyIndex::Check() const {
  uint64_t keys = 0;
  CHECK_EQ(CheckNode(root_, 0, &keys), root_live_);
  CHECK_EQ(keys, size_);
  uint64_t walked = 0;
  const KeyRecord* previous = nullptr;
  for (Cursor cursor = First(); cursor.Valid(); cursor.Next()) {
    CHECK(previous == nullptr || previous->key() < cursor->key());
    previous = &*cursor;
    ++walked;
  }
  CHECK_EQ(walked, size_);
}

uint64_t KeyIndex::CheckNode(const Node* node, size_t level,
                             uint64_t* keys) const {
  if (level == height_) {
    *keys += static_cast<const Leaf*>(node)->records.size();
    return CheckLeaf(*static_cast<const Leaf*>(node));
  }
  auto* inner = static_cast<const Inner*>(node);
  CHECK(level > 0 || inner->size() > 1);
  uint64_t live = 0;
  for (size_t i = 0; i < inner->size(); ++i) {
    const uint64_t below = CheckNode(inner->children[i], level + 1, keys);
    CHECK_EQ(below, inner->live[i]);
    live += below;
  }
  return live;
}

uint64_t KeyIndex::CheckLeaf(const Leaf& leaf) const {
  CHECK(height_ == 0 || leaf.records.size() > 0);
  uint64_t live = 0;
  for (size_t i = 0; i < leaf.records.size(); ++i) {
    const KeyHistory& history = leaf.records[i]->history;
    history.Check();
    CHECK(!history.empty());
    CHECK(Find(leaf.records[i]->key()) == leaf.records[i]);
    if (history.live()) live |= uint64_t{1} << i;
  }
  CHECK_EQ(live, leaf.live);
  return std::popcount(live);
}

}  // namespace strata
