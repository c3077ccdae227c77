#ifndef STRATA_ENGINE_BACKEND_H_
#define STRATA_ENGINE_BACKEND_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/arena.h"

namespace strata {

// The tables of a store: etcd's bbolt buckets, by etcd's names.
enum class Table : uint8_t {
  kKey,             // "key": revision -> KeyValue
  kMeta,            // "meta": consistent_index, compaction state, ...
  kLease,           // "lease"
  kAlarm,           // "alarm"
  kCluster,         // "cluster": clusterVersion
  kMembers,         // "members"
  kMembersRemoved,  // "members_removed"
  kAuth,            // "auth"
  kAuthUsers,       // "authUsers"
  kAuthRoles,       // "authRoles"
};
inline constexpr int kTableCount = 10;

std::string_view TableName(Table table);

// What one change may hold, as in bbolt. A key has at least one byte.
inline constexpr uint64_t kMaxBackendKeyBytes = 32768;
inline constexpr uint64_t kMaxBackendValueBytes = (uint64_t{1} << 31) - 2;

// Changes that become visible and durable together, applied in order.
// Can be moved, not copied. Used by one thread.
class Batch {
 public:
  // The bytes are the batch's, or borrowed.
  struct Change {
    Table table;
    bool erase;
    std::string_view key;
    std::string_view value;
  };

  void Put(Table table, std::string_view key, std::string_view value);
  // As Put, but `value` is not copied: it must outlive the batch.
  void PutBorrowed(Table table, std::string_view key, std::string_view value);
  void Erase(Table table, std::string_view key);  // a missing key is fine
  const std::vector<Change>& changes() const { return changes_; }
  bool empty() const { return changes_.empty(); }
  void Clear() { *this = Batch(); }

 private:
  Arena arena_;
  std::vector<Change> changes_;
};

// InvalidArgument if a key or value is outside the limits above.
Status CheckBatch(const Batch& batch);

// One immutable state of the backend: that after some Write(). It costs no
// copy, but the space it refers to is not reused while it lives, so give it
// back soon. Thread-safe. Must be destroyed before its Backend.
//
// What Get() returns stays valid while the View lives. Damage met on the way is
// DataLoss, naming file and offset.
class View {
 public:
  // Walks one table in key order. Used by one thread; not valid after its View.
  // key() and value() stay valid until it moves; if stays(), while the View
  // lives.
  class Iterator {
   public:
    virtual ~Iterator() = default;
    virtual void SeekToFirst() = 0;
    // To the first key >= `key`.
    virtual void Seek(std::string_view key) = 0;
    virtual bool Valid() const = 0;
    virtual void Next() = 0;                     // REQUIRES: Valid()
    virtual std::string_view key() const = 0;    // REQUIRES: Valid()
    virtual std::string_view value() const = 0;  // REQUIRES: Valid()
    // Not OK if the walk ended because of damage.
    virtual Status status() const = 0;
    virtual bool stays() const { return true; }
  };

  virtual ~View() = default;

  virtual StatusOr<std::optional<std::string_view>> Get(
      Table table, std::string_view key) const = 0;
  virtual std::unique_ptr<Iterator> NewIterator(Table table) const = 0;

  // A view of the same state for one piece of work, if Get() has to copy values
  // into the view: they go with the fork and not only with a view that may live
  // for long. Null if it copies nothing, and this view serves as well.
  virtual std::shared_ptr<const View> Fork() const { return nullptr; }
};

struct BackendSizes {
  // Up to the last page ever used, as etcd counts the size of its database;
  // the file itself may be longer, having grown in steps.
  uint64_t file_bytes = 0;
  uint64_t in_use_bytes = 0;  // of them not free
  // Of these, what only older states use: free soon, unless a view stays.
  uint64_t pending_bytes = 0;
};

// How far a scrub has come.
struct ScrubProgress {
  uint64_t checked_bytes = 0;  // by this step
  uint64_t position = 0;       // in the file
  bool finished = false;       // with all of it; the next step begins again
};

// A state that is no longer the newest, but that views still show.
struct OldView {
  uint64_t id = 0;            // of the state: older ones have smaller ids
  uint64_t pinned_bytes = 0;  // that could be used again but for it
};

// How far a shrinking is.
struct ShrinkProgress {
  bool done = false;           // the file is as short as it gets
  uint64_t file_bytes = 0;     // the file's length now
  uint64_t live_bytes = 0;     // of it, what the newest state uses
  uint64_t written_bytes = 0;  // pages moved since it began
  // This step could do nothing: the oldest view that is in the way.
  std::optional<OldView> blocker = std::nullopt;
};

// Where the store keeps its tables. Interchangeable: one suite
// (engine/backend_suite.h) tests every implementation.
//
// After a crash its state is that after a prefix of the Write()s, with at least
// all before the last Sync() that returned OK.
//
// Write, Sync, Check and ScrubStep come from one thread at a time (the
// flusher); NewView and Sizes from any thread. After a Write or Sync that
// failed, the state on disk is still such a prefix; every later Write and Sync
// fails with the same error, unless the error was kResourceExhausted (a full
// disk), which may be tried again.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual StatusOr<std::shared_ptr<const View>> NewView() = 0;
  // When it returns OK, new views have the batch. A batch that fails
  // CheckBatch() is refused and changes nothing, not even later writes.
  virtual Status Write(const Batch& batch) = 0;
  virtual Status Sync() = 0;

  // Walks everything and reports each fault found (as text naming the place) to
  // `report`. Not OK only if the walk itself could not be done.
  virtual Status Check(
      const std::function<void(const std::string&)>& report) = 0;

  // A consistent copy of `view` as a bbolt-format file, written piece by piece
  // in file order; `sink` may fail, which ends the copy. From any thread.
  // REQUIRES: `view` is one of this backend's.
  using Sink = std::function<Status(std::string_view piece)>;
  virtual Status WriteSnapshot(const View& view, const Sink& sink) = 0;

  // Checks some more of what is in use against its checksums, about `max_bytes`
  // from where the last step stopped, and reports faults as Check() does; later
  // reads of a place with a fault fail. From the writing thread. A backend
  // without checksums has nothing to do.
  virtual StatusOr<ScrubProgress> ScrubStep(
      uint64_t max_bytes,
      const std::function<void(const std::string&)>& report);

  virtual BackendSizes Sizes() const = 0;

  // One bounded step of making the file shorter, or of its parts fewer: pages
  // are moved and merged, about `max_bytes` of them, in one commit, and the
  // file is cut where nobody sees it: no view, no state that a crash may bring
  // back. The first step begins a shrinking, which ends when one says `done` or
  // with EndShrink(). Writes may come between. From the thread of Write(), and
  // fails as that does.
  virtual StatusOr<ShrinkProgress> ShrinkStep(uint64_t max_bytes);
  virtual void EndShrink() {}

  // The oldest first. From the thread of Write().
  virtual std::vector<OldView> OldViews() const { return {}; }
};

}  // namespace strata

#endif  // STRATA_ENGINE_BACKEND_H_
