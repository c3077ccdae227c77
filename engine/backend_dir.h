#ifndef STRATA_ENGINE_BACKEND_DIR_H_
#define STRATA_ENGINE_BACKEND_DIR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/logger.h"
#include "engine/backend.h"
#include "engine/btree_backend.h"
#include "engine/leveldb_backend.h"

namespace strata {

// What a member's `snap` directory keeps the tables in:
//
//   kBtree    snap/db        etcd's file
//   kLevelDb  snap/leveldb/  a directory that only Strata knows
//   kMem      nothing
enum class BackendKind { kBtree, kLevelDb, kMem };

std::string_view BackendName(BackendKind kind);  // "btree", "leveldb", "mem"
std::string BackendPath(const std::string& snap, BackendKind kind);

struct BackendOptions {
  BackendKind kind = BackendKind::kBtree;
  BtreeOptions btree = {};
  LeveldbOptions leveldb = {};
};

// The kind of backend that is in `snap`, whatever state it is in; nothing if
// there is none. FailedPrecondition if there are two: a conversion was cut off
// at its last step, and ConvertBackend() finishes it.
StatusOr<std::optional<BackendKind>> FindBackend(Env* env,
                                                 const std::string& snap);

// Opens the backend in `snap`, or makes it if there is none.
// FailedPrecondition, naming what is there and the command that converts it,
// if another kind is.
StatusOr<std::unique_ptr<Backend>> OpenBackend(Env* env,
                                               const std::string& snap,
                                               const BackendOptions& options,
                                               Logger* logger);

struct ConvertOptions {
  // What it shall be, with the options of both kinds. REQUIRES: not kMem
  BackendOptions to;
  // Leave the old one beside the new as db.replaced or leveldb.replaced, which
  // nobody reads.
  bool keep_old = false;
  // Called now and then with the rows done and a word for what is being done.
  std::function<void(std::string_view phase, uint64_t rows)> progress = nullptr;
};

struct ConvertResult {
  BackendKind from;
  uint64_t rows = 0;
  uint64_t old_bytes = 0;  // of files
  uint64_t new_bytes = 0;
};

// Turns the backend in `snap` into another kind. Kept: every row of the ten
// tables, and so all that etcd or Strata store, with the applied index. Not
// kept: buckets of other names and bbolt's bucket sequences (etcd has neither),
// free pages, and LevelDB's older versions of rows.
//
// No process may have the backend open: Unavailable. The same kind already:
// FailedPrecondition.
//
// At every moment of a crash, the old backend or the new one is there, whole:
//
//   1  the copy is made under a temporary name, synced, and read back against
//      the original, row by row
//   2  it gets its name; from here on the directory has two, equal ones, and no
//      server starts on it
//   3  the old one is renamed away, and removed unless `keep_old`
//
// Run again after a crash it does what is left: with two backends there, the
// old one goes only if both have the same rows, else FailedPrecondition.
StatusOr<ConvertResult> ConvertBackend(Env* env, const std::string& snap,
                                       const ConvertOptions& options,
                                       Logger* logger);

}  // namespace strata

#endif  // STRATA_ENGINE_BACKEND_DIR_H_
