#ifndef STRATA_ENGINE_KEY_HISTORY_H_
#define STRATA_ENGINE_KEY_HISTORY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "engine/key_value.h"

namespace strata {

// A change that a compaction took out of the index; it can be erased from the
// key table.
struct RemovedChange {
  Revision main;
  uint32_t sub = 0;
  bool tombstone = false;

  ChangeId id() const { return {main, sub}; }
  friend auto operator<=>(const RemovedChange&, const RemovedChange&) = default;
};
static_assert(sizeof(RemovedChange) == 16);

// What the index knows of a key at a revision.
struct KeyState {
  ChangeId id;  // of the last change at or before the revision
  Revision create_revision;
  int64_t version = 0;
};

// The changes of one key, in order: generations, each a run of puts that ends
// with a tombstone if the key was deleted.
//
//   put 2, put 4, delete 6, put 8      generations {2, 4, 6t}, {8}
//   at 5: change 4, create 2, version 2      at 7: no such key
//
// A value bound to its owner's lock. One change, which is what a compaction
// leaves of most keys, takes 20 bytes; more lie in a block of their own, 16
// bytes each.
class KeyHistory {
 public:
  KeyHistory() = default;
  ~KeyHistory() { Release(); }
  KeyHistory(const KeyHistory&) = delete;
  KeyHistory& operator=(const KeyHistory&) = delete;

  bool empty() const { return version_ == kEmpty; }
  // Whether the key exists after its last change.
  bool live() const;

  // REQUIRES: `id` is after every other change
  KeyState Put(ChangeId id);
  // REQUIRES: live(), and `id` is after every other change
  void Delete(ChangeId id);

  // The oldest change that is left in the key table, when it is read at open:
  // what came before it in its generation is known from its KeyValue.
  // REQUIRES: empty()
  void Restore(ChangeId id, Revision create_revision, int64_t version);
  void RestoreTombstone(ChangeId id);

  // Nothing if the key does not exist at `at`.
  std::optional<KeyState> Get(Revision at) const;
  // The changes at or after `from`, in order; of those with one revision, the
  // last.
  std::vector<ChangeId> Since(Revision from) const;

  // Forgets what no read at `at` or later can see: all before the last change
  // at or before `at`, and that one too if it is a tombstone (unless it is
  // exactly at `at` and `keep_tombstone`). They are appended to `removed`.
  void Compact(Revision at, bool keep_tombstone,
               std::vector<RemovedChange>* removed);

  size_t size() const;
  // "{2.0 4.0 6.0t} {8.0}", a generation's first known version in front of it
  // if it is not 1: "v3{9.0}".
  std::string ToString() const;
  // Aborts if what must hold does not.
  void Check() const;

 private:
  // `ordinal` counts the puts of a generation from the oldest that is left,
  // which is 1; a tombstone has 0.
  struct Change {
    int64_t main;
    uint32_t sub;
    uint32_t ordinal;

    bool tombstone() const { return ordinal == 0; }
    ChangeId id() const { return {Revision(main), sub}; }
  };
  static_assert(sizeof(Change) == 16);

  // What is in memory if there are many changes, or one that needs more room.
  struct Block {
    uint32_t size;
    uint32_t capacity;
    // Of the oldest generation: when it was created, and how many of its puts
    // were forgotten.
    int64_t first_create;
    int64_t first_forgotten;

    Change* changes() { return reinterpret_cast<Change*>(this + 1); }
  };
  static_assert(sizeof(Block) % alignof(Change) == 0);

  // All of a history, whichever form it has. Borrows from it.
  struct Spread {
    uint32_t size = 0;
    int64_t first_create = 0;
    int64_t first_forgotten = 0;
    const Change* block = nullptr;  // null: `only` is the one there is
    Change only = {};

    const Change& operator[](size_t i) const {
      return block == nullptr ? only : block[i];
    }
    const Change& last() const { return (*this)[size - 1]; }
    // The number of changes at or before `at`.
    size_t CountUpTo(Revision at) const;
    // Of a put.
    KeyState StateOf(size_t index) const;
  };

  // What version_ says if it is not the version of the only change (0: a
  // tombstone).
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr uint32_t kBlock = UINT32_MAX - 1;

  bool in_block() const { return version_ == kBlock; }
  Block* block() const;
  Spread spread() const;
  // The first change. False if it does not fit into the object.
  bool StoreInline(const Change& change, int64_t create, int64_t version);
  void StoreFirst(const Change& change, int64_t create, int64_t version);
  void Append(const Change& change);
  void EraseFront(size_t count);
  void Replace(const Spread& left);
  void MoveToBlock(const Spread& from, uint32_t capacity);
  void Release();

  // In halves, so that the object may lie at any multiple of 4. If there is one
  // change: its revision (48 bits) and sub (16); when its generation was
  // created. If there is a block: its address.
  std::array<uint32_t, 2> place_ = {};
  std::array<uint32_t, 2> create_ = {};
  uint32_t version_ = kEmpty;
};
static_assert(sizeof(KeyHistory) == 20 && alignof(KeyHistory) == 4);

}  // namespace strata

#endif  // STRATA_ENGINE_KEY_HISTORY_H_
