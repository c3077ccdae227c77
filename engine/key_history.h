#ifndef STRATA_ENGINE_KEY_HISTORY_H_
#define STRATA_ENGINE_KEY_HISTORY_H_

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
  ChangeId id;
  bool tombstone = false;

  friend auto operator<=>(const RemovedChange&, const RemovedChange&) = default;
};

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
// A value bound to its owner's lock. 16 bytes for each change; the first one
// lies inside the object.
class KeyHistory {
 public:
  KeyHistory() = default;
  ~KeyHistory() { Release(); }
  KeyHistory(const KeyHistory&) = delete;
  KeyHistory& operator=(const KeyHistory&) = delete;

  bool empty() const { return size_ == 0; }
  // Whether the key exists after its last change.
  bool live() const { return size_ > 0 && !last().tombstone(); }

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

  size_t size() const { return size_; }
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

  const Change* changes() const { return capacity_ == 1 ? &one_ : many_; }
  Change* changes() { return capacity_ == 1 ? &one_ : many_; }
  const Change& last() const { return changes()[size_ - 1]; }
  // The number of changes at or before `at`.
  size_t CountUpTo(Revision at) const;
  // Of a put.
  KeyState StateOf(size_t index) const;
  void Append(Change change);
  void EraseFront(size_t count);
  void Reallocate(uint32_t capacity);
  void Release();

  uint32_t size_ = 0;
  uint32_t capacity_ = 1;
  // Of the oldest generation: when it was created, and how many of its puts
  // were forgotten.
  int64_t first_create_ = 0;
  int64_t first_forgotten_ = 0;
  union {
    Change one_ = {};
    Change* many_;
  };
};

}  // namespace strata

#endif  // STRATA_ENGINE_KEY_HISTORY_H_
