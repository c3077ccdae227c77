#ifndef STRATA_STRATA_H_
#define STRATA_STRATA_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/limits.h"
#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/types.h"
#include "engine/backend_dir.h"
#include "engine/key_value.h"
#include "engine/level.h"
#include "engine/requests.h"
#include "engine/scrub.h"
#include "engine/store.h"
#include "engine/watch_hub.h"
#include "server/durability.h"

// Strata in your program: a durable, revision-keyed store without a server and
// without gRPC. A directory written here can be served by stratad later (or by
// etcd), and the other way round, by one of them at a time.
//
//   auto db = strata::Db::Open("/var/lib/app");
//   if (!db.ok()) return Fail(db.status());
//   auto put = (*db)->Put("color", "blue");  // durable when it returns
//   auto color = (*db)->Get("color");                  // blue
//   (*db)->Put("color", "red");
//   auto before = (*db)->Get("color", put->revision);  // still blue
//
// docs/examples/embedded.cc is a whole program; watch.cc, lease.cc, snapshot.cc
// and shrink.cc beside it show the rest.
namespace strata {

struct DbOptions {
  // For the member this directory becomes when it is served; a directory that
  // is there keeps what it has.
  std::string name = "default";
  std::string initial_advertise_peer_url = "http://localhost:2380";
  std::string advertise_client_url = "http://localhost:2379";

  // Unset: the level of the directory, and 3.5 for a new one.
  std::optional<Level> level = std::nullopt;
  // What keeps the tables: btree is etcd's file; leveldb is for Strata alone.
  // A directory keeps its kind: ConvertBackend() (engine/backend_dir.h) changes
  // it. Only the options of the chosen one matter.
  BackendKind backend = BackendKind::kBtree;
  BtreeOptions btree = {};
  LeveldbOptions leveldb = {};
  // The file's checksums are checked in the background, at this pace.
  ScrubOptions scrub = {.bytes_per_second = kScrubBytesPerSecond};
  // Changes are written to the backend, in the background, after either.
  Duration batch_interval = std::chrono::milliseconds(100);
  uint64_t batch_changes = limits::kTailChanges;
  ShrinkOptions shrink = {};
  // What a change has survived when it returns: a power loss (kEachWrite), one
  // but for the last so many milliseconds (kInterval), or only the end of the
  // process (kNone). server/durability.h has the promises.
  Durability durability = {};

  Env* env = Env::Posix();
  Logger* logger = Logger::Null();
  // Called once if the disk fails in a way that leaves unknown what is durable:
  // every later change gets the same error. Null: the process is aborted.
  std::function<void(const Status&)> on_fatal = nullptr;
};

// A KeyValue with memory of its own. Cheap to copy.
class Record {
 public:
  // `kv` points into `bytes`.
  Record(KeyValue kv, std::shared_ptr<const void> bytes)
      : kv_(kv), bytes_(std::move(bytes)) {}

  // The views are valid while this Record, or a copy of it, lives.
  const KeyValue& operator*() const { return kv_; }
  const KeyValue* operator->() const { return &kv_; }

 private:
  KeyValue kv_;
  std::shared_ptr<const void> bytes_;
};

// The KeyValues of a result, copied out and decoded. DataLoss if the stored
// bytes are damaged.
StatusOr<std::vector<Record>> Decode(const RangeResult& result);

// A change, as it is watched. May be kept.
struct WatchedChange {
  bool is_delete = false;
  Record kv;  // of a delete, the key and the revision as mod_revision
  // What was there before, if it was asked for: nothing for a key's first put,
  // nor for what has been compacted meanwhile.
  std::optional<Record> prev;
};

// Whole revisions, in order; or none, which says that there was nothing up to
// `revision`.
struct WatchedChanges {
  Revision revision{};
  std::vector<WatchedChange> changes;
};

// Reads what is watched. Used by one thread, but for Stop. What it has not read
// costs no memory: it is read from the store when it is wanted. Who wants to go
// on later, even after a restart, watches again from the revision after the
// last one read. Must be gone before its Db is closed.
class WatchReader {
 public:
  virtual ~WatchReader() = default;

  // Waits for changes, at most `timeout`; nullopt if there were none, or Stop
  // has been called. OutOfRange if what comes next has been compacted:
  // compact_revision() is then the first revision that can be watched.
  virtual StatusOr<std::optional<WatchedChanges>> Next(Duration timeout) = 0;
  virtual Revision compact_revision() const = 0;

  // Ends a Next that waits, and those to come. Any thread.
  virtual void Stop() = 0;
};

// A lease: keys that were put under it are deleted when it ends.
struct LeaseStatus {
  LeaseId id{};
  int64_t ttl_seconds = 0;  // as granted: at least 2
  Duration left{};          // unless it is kept alive; not below 0
  std::vector<std::string> keys;
};

// Thread-safe. A change returns when it is durable (with all that other threads
// changed meanwhile: they share one fdatasync) and reads show it; a read never
// waits for a change. Errors are etcd's, by code and text. What a RangeResult
// points to belongs to the Db, and keeps old pages from being used again: let
// go of it soon, and before Close. A Record may be kept.
class Db {
 public:
  // Makes the directory if it is missing. Unavailable, naming the holder, if
  // another process has it open; DataLoss, naming file and offset, if it is
  // damaged, and then nothing in it is changed.
  static StatusOr<std::unique_ptr<Db>> Open(const std::string& directory,
                                            DbOptions options = {});
  // Closes; errors of closing are lost, so call Close().
  virtual ~Db() = default;

  StatusOr<PutResult> Put(std::string_view key, std::string_view value) {
    return Put({.key = key, .value = value});
  }
  virtual StatusOr<PutResult> Put(const PutRequest& request) = 0;

  // The key's value now or at a past revision; nullopt if there was none.
  // OutOfRange for a compacted or future revision.
  StatusOr<std::optional<Record>> Get(std::string_view key,
                                      Revision revision = Revision());
  virtual StatusOr<RangeResult> Range(const RangeRequest& request) const = 0;

  StatusOr<DeleteRangeResult> Delete(std::string_view key) {
    return DeleteRange({.range = {.key = key, .end = {}}});
  }
  virtual StatusOr<DeleteRangeResult> DeleteRange(
      const DeleteRangeRequest& request) = 0;

  // All or nothing, under one revision.
  virtual StatusOr<TxnResult> Txn(const TxnRequest& request) = 0;

  // Grants a lease that ends after so many seconds, by this program's clock,
  // unless it is kept alive; `id` 0 lets the store choose one.
  // PutRequest::lease puts a key under it. FailedPrecondition if there is one
  // with that id. When a store is opened, the time of each of its leases begins
  // anew.
  virtual StatusOr<LeaseId> GrantLease(int64_t ttl_seconds,
                                       LeaseId id = LeaseId()) = 0;
  // Gives it its full time again, and tells how many seconds that is. NotFound
  // if it has ended.
  virtual StatusOr<int64_t> KeepLeaseAlive(LeaseId id) = 0;
  // Ends it now, and deletes its keys.
  virtual Status RevokeLease(LeaseId id) = 0;
  virtual StatusOr<LeaseStatus> GetLease(LeaseId id) const = 0;
  // All there are, by the time they end.
  virtual std::vector<LeaseId> Leases() const = 0;

  // Begins to watch a key or a range: from now on or, as long as that has not
  // been compacted, from a revision. InvalidArgument for an empty range.
  virtual StatusOr<std::unique_ptr<WatchReader>> Watch(
      const WatchRequest& request) = 0;

  // Makes all that is older than `revision` unreadable now, except the state at
  // it; the space is freed in the background.
  virtual Status Compact(Revision revision) = 0;

  // Writes all that is there now to a new file, which is there whole and
  // durably when it returns, or not at all: what `etcdctl snapshot save`
  // writes, for `etcdctl snapshot restore`, stratautl and etcd. Everything else
  // goes on meanwhile.
  virtual Status Snapshot(const std::string& path) = 0;

  // Makes the file that the data are in shorter, while all else goes on. Waits
  // for it: what was reached, or Aborted if for 30 s a reader (a RangeResult
  // not let go of) was in the way. `progress` is called after each step, on
  // another thread; false calls it off (Canceled). Db does so by itself if much
  // of the file is free (DbOptions::shrink).
  virtual StatusOr<ShrinkProgress> Shrink(
      std::function<bool(const ShrinkProgress&)> progress = nullptr) = 0;

  virtual Revision revision() const = 0;

  // Waits for what is under way and writes all to the backend. No call after
  // it.
  virtual Status Close() = 0;
};

}  // namespace strata

#endif  // STRATA_STRATA_H_
