#include "engine/backend_dir.h"

#include <utility>

#include "base/check.h"
#include "engine/mem_backend.h"

namespace strata {
namespace {

// One write of the copy.
constexpr uint64_t kCopyBatchBytes = 4 << 20;
constexpr uint64_t kProgressRows = 10000;

constexpr std::string_view kUnfinished = ".converting";
constexpr std::string_view kReplaced = ".replaced";

bool Exists(Env* env, const std::string& snap, BackendKind kind) {
  const std::string path = BackendPath(snap, kind);
  return kind == BackendKind::kLevelDb ? LeveldbExists(env, path)
                                       : env->Exists(path);
}

StatusOr<std::unique_ptr<Backend>> OpenAt(Env* env, const std::string& path,
                                          const BackendOptions& options,
                                          Logger* logger) {
  switch (options.kind) {
    case BackendKind::kBtree:
      return OpenBtreeBackend(env, path, options.btree, logger);
    case BackendKind::kLevelDb:
      return OpenLeveldbBackend(env, path, options.leveldb, logger);
    case BackendKind::kMem:
      return NewMemBackend();
  }
  CHECK(false) << "no such backend";
  return Status::Ok();
}

Status RemoveIfThere(Env* env, const std::string& path, BackendKind kind) {
  if (!env->Exists(path)) return Status::Ok();
  return kind == BackendKind::kLevelDb ? env->RemoveAll(path)
                                       : env->Remove(path);
}

// One conversion.
class Conversion {
 public:
  Conversion(Env* env, const std::string& snap, const ConvertOptions& options,
             Logger* logger)
      : env_(env), snap_(snap), options_(options), logger_(logger) {
    from_.kind = options.to.kind == BackendKind::kBtree ? BackendKind::kLevelDb
                                                        : BackendKind::kBtree;
    to_.btree.fsync = from_.btree.fsync = true;
    to_.leveldb.fsync = from_.leveldb.fsync = true;
  }

  StatusOr<ConvertResult> Run() {
    if (!Exists(env_, snap_, from_.kind)) return NothingToConvert();
    result_.from = from_.kind;
    RETURN_IF_ERROR(Copy());
    RETURN_IF_ERROR(Replace());
    return result_;
  }

 private:
  std::string OldPath() const { return BackendPath(snap_, from_.kind); }
  std::string NewPath() const { return BackendPath(snap_, to_.kind); }

  Status NothingToConvert() const {
    if (Exists(env_, snap_, to_.kind)) {
      return FailedPreconditionError(NewPath() + " is there already, and no " +
                                     OldPath());
    }
    return NotFoundError("no backend in " + snap_);
  }

  // Leaves two equal backends there, both closed.
  Status Copy() {
    ASSIGN_OR_RETURN(auto old, OpenAt(env_, OldPath(), from_, logger_));
    result_.old_bytes = old->Sizes().file_bytes;
    ASSIGN_OR_RETURN(const auto rows, old->NewView());
    if (Exists(env_, snap_, to_.kind)) return Compare(*rows, NewPath());
    const std::string unfinished = NewPath() + std::string(kUnfinished);
    RETURN_IF_ERROR(RemoveIfThere(env_, unfinished, to_.kind));
    RETURN_IF_ERROR(CopyRows(*rows, unfinished));
    RETURN_IF_ERROR(Compare(*rows, unfinished));
    // LevelDB leaves a directory with nothing but a lock behind if it refuses.
    RETURN_IF_ERROR(RemoveIfThere(env_, NewPath(), to_.kind));
    RETURN_IF_ERROR(env_->Rename(unfinished, NewPath()));
    return env_->SyncDir(snap_);
  }

  Status CopyRows(const View& rows, const std::string& path) {
    ASSIGN_OR_RETURN(auto copy, OpenAt(env_, path, to_, logger_));
    Batch batch;
    uint64_t bytes = 0;
    uint64_t done = 0;
    for (int i = 0; i < kTableCount; ++i) {
      const auto table = static_cast<Table>(i);
      auto row = rows.NewIterator(table);
      for (row->SeekToFirst(); row->Valid(); row->Next()) {
        batch.Put(table, row->key(), row->value());
        bytes += row->key().size() + row->value().size();
        Tell("copy", ++done);
        if (bytes < kCopyBatchBytes) continue;
        RETURN_IF_ERROR(copy->Write(batch));
        batch.Clear();
        bytes = 0;
      }
      RETURN_IF_ERROR(row->status());
    }
    RETURN_IF_ERROR(copy->Write(batch));
    return copy->Sync();
  }

  // Opens `path` again, as a server would, and reads it all.
  Status Compare(const View& rows, const std::string& path) {
    ASSIGN_OR_RETURN(auto copy, OpenAt(env_, path, to_, logger_));
    ASSIGN_OR_RETURN(const auto copied, copy->NewView());
    result_.rows = 0;
    for (int i = 0; i < kTableCount; ++i) {
      const auto table = static_cast<Table>(i);
      auto a = rows.NewIterator(table);
      auto b = copied->NewIterator(table);
      for (a->SeekToFirst(), b->SeekToFirst(); a->Valid() && b->Valid();
           a->Next(), b->Next()) {
        if (a->key() != b->key() || a->value() != b->value()) break;
        Tell("compare", ++result_.rows);
      }
      RETURN_IF_ERROR(a->status());
      RETURN_IF_ERROR(b->status());
      if (a->Valid() || b->Valid()) {
        return FailedPreconditionError(
            OldPath() + " and " + path + " differ in table " +
            std::string(TableName(table)) +
            ": neither is touched; move away the one that is out of date");
      }
    }
    result_.new_bytes = copy->Sizes().file_bytes;
    return Status::Ok();
  }

  Status Replace() {
    const std::string replaced = OldPath() + std::string(kReplaced);
    RETURN_IF_ERROR(RemoveIfThere(env_, replaced, from_.kind));
    RETURN_IF_ERROR(env_->Rename(OldPath(), replaced));
    RETURN_IF_ERROR(env_->SyncDir(snap_));
    if (options_.keep_old) return Status::Ok();
    RETURN_IF_ERROR(RemoveIfThere(env_, replaced, from_.kind));
    return env_->SyncDir(snap_);
  }

  void Tell(std::string_view phase, uint64_t rows) const {
    if (options_.progress != nullptr && rows % kProgressRows == 0) {
      options_.progress(phase, rows);
    }
  }

  Env* const env_;
  const std::string snap_;
  const ConvertOptions& options_;
  Logger* const logger_;
  BackendOptions to_ = options_.to;
  BackendOptions from_ = options_.to;
  ConvertResult result_;
};

}  // namespace

std::string_view BackendName(BackendKind kind) {
  switch (kind) {
    case BackendKind::kBtree:
      return "btree";
    case BackendKind::kLevelDb:
      return "leveldb";
    case BackendKind::kMem:
      return "mem";
  }
  CHECK(false) << "no such backend";
  return "";
}

std::string BackendPath(const std::string& snap, BackendKind kind) {
  CHECK(kind != BackendKind::kMem) << "mem is nowhere";
  return JoinPath(snap, kind == BackendKind::kBtree ? "db" : "leveldb");
}

StatusOr<std::optional<BackendKind>> FindBackend(Env* env,
                                                 const std::string& snap) {
  const bool btree = Exists(env, snap, BackendKind::kBtree);
  const bool leveldb = Exists(env, snap, BackendKind::kLevelDb);
  if (btree && leveldb) {
    return FailedPreconditionError(
        snap +
        " has both db and leveldb: a conversion did not finish; run "
        "`stratautl db convert` again");
  }
  std::optional<BackendKind> found;
  if (btree) found = BackendKind::kBtree;
  if (leveldb) found = BackendKind::kLevelDb;
  return found;
}

StatusOr<std::unique_ptr<Backend>> OpenBackend(Env* env,
                                               const std::string& snap,
                                               const BackendOptions& options,
                                               Logger* logger) {
  ASSIGN_OR_RETURN(const auto found, FindBackend(env, snap));
  if (found.has_value() && *found != options.kind) {
    const std::string there(BackendName(*found));
    const std::string wanted(BackendName(options.kind));
    std::string text = BackendPath(snap, *found) +
                       " is there: the backend is " + there + ", not " +
                       wanted + "; start with --backend=" + there;
    if (options.kind != BackendKind::kMem) {
      text += ", or convert it: stratautl db convert --to " + wanted;
    }
    return FailedPreconditionError(text);
  }
  if (options.kind == BackendKind::kMem) return NewMemBackend();
  RETURN_IF_ERROR(env->MakeDirs(snap));
  return OpenAt(env, BackendPath(snap, options.kind), options, logger);
}

StatusOr<ConvertResult> ConvertBackend(Env* env, const std::string& snap,
                                       const ConvertOptions& options,
                                       Logger* logger) {
  CHECK(options.to.kind != BackendKind::kMem);
  return Conversion(env, snap, options, logger).Run();
}

}  // namespace strata
