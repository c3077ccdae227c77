#ifndef STRATA_ENGINE_LEVELDB_BACKEND_H_
#define STRATA_ENGINE_LEVELDB_BACKEND_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/logger.h"
#include "base/loop.h"
#include "engine/backend.h"

namespace strata {

struct LeveldbOptions {
  // What is gathered in memory before it becomes a table file; an open reads at
  // most about twice as much of the log.
  uint64_t write_buffer_bytes = 16 << 20;
  // Decompressed blocks kept in memory.
  uint64_t block_cache_bytes = 8 << 20;
  // Snappy. Blocks that it would not shorten by an eighth stay as they are.
  bool compress = true;
  // Where table files are merged. Must run, and outlive the backend, which must
  // not be destroyed on it. Null: Write() does what is due before it returns,
  // so that a simulator sees one thread.
  Loop* compactor = nullptr;
  // Off: nothing survives a power loss. For tests and throw-away data.
  bool fsync = true;
};

// A LevelDB in a directory of its own, for comparison and for work that mostly
// writes. No other program can use it as a member's data: etcd neither reads it
// nor knows that it is there. Snapshots and ConvertBackend()
// (engine/backend_dir.h) are the ways out.
//
// A table's rows have its number + 1 as the first byte of their keys. Under
// byte 0 are our own: "format", and "live", the bytes of all keys and values,
// which changes with every batch.
//
// One Write is one LevelDB batch. Sync writes an empty batch with LevelDB's
// sync flag: LevelDB has no sync by itself. A log that LevelDB closes is synced
// by our Env first (google/leveldb#193), so a batch is never durable without
// those before it.
//
// Get() copies the value into the view it was called on; see View::Fork().
// Iterators copy nothing; what they show does not stay. WriteSnapshot has all
// of it in memory. A view keeps LevelDB from dropping what it shows, and no
// file from being removed.
//
// Less than backend.h promises, or than the btree does:
// - The newest log's damage looks like a torn tail: what follows it is dropped,
//   acknowledged batches too. The state is still one after a Write; a store's
//   own log has the rest, or its start is refused. Damage in a file of tables,
//   in an older log or before the last record of the manifest is DataLoss.
// - Damage is named by file and block (4 KiB and more), not by row, and Check()
//   and the scrub, which looks at tables alone, name one a file. A manifest
//   that is damaged refuses the whole directory.
// - A full disk may be waited out if it is the log that finds no room: room is
//   taken before anything is written. When a table file finds none, in the
//   background, the backend is finished, and later Writes are Unavailable.
// - in_use_bytes is what rows hold, not what files need for them.
//
// Opening makes the directory if it is missing. Unavailable if another process
// has it open; DataLoss, with the file, if it is damaged; FailedPrecondition if
// it is a LevelDB of something else. A directory that is refused is left as it
// was, but for its LOCK file.
StatusOr<std::unique_ptr<Backend>> OpenLeveldbBackend(
    Env* env, const std::string& directory, const LeveldbOptions& options,
    Logger* logger);

// Bugs for a test to find.
struct LeveldbBugs {
  bool no_sync_at_log_close = false;
  bool no_directory_sync = false;
  bool keep_torn_tail = false;  // LevelDB reads its logs as they are
};
StatusOr<std::unique_ptr<Backend>> OpenLeveldbBackend(
    Env* env, const std::string& directory, const LeveldbOptions& options,
    Logger* logger, const LeveldbBugs& bugs);

// Whether `directory` has a LevelDB, whole or damaged.
bool LeveldbExists(Env* env, const std::string& directory);

}  // namespace strata

#endif  // STRATA_ENGINE_LEVELDB_BACKEND_H_
