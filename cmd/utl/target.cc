#include "cmd/utl/target.h"

#include "engine/backend_dir.h"

namespace strata::utl {
namespace {

bool IsDirectory(Env* env, const std::string& path) {
  return env->List(path).ok();
}

// That the store is in a db file at all.
StatusOr<std::string> DatabaseFileIn(Env* env, const std::string& data_dir) {
  const std::string path = DatabaseIn(data_dir);
  if (!env->Exists(path) &&
      env->Exists(BackendPath(SnapIn(data_dir), BackendKind::kLevelDb))) {
    return FailedPreconditionError(
        data_dir +
        " keeps its store in LevelDB, not in a db file; to have one: stratautl "
        "db convert --to btree");
  }
  return path;
}

Status CheckOne(const Target& target, const std::string& what) {
  if (target.file.empty() == target.data_dir.empty()) {
    return InvalidArgumentError(
        target.file.empty()
            ? "which " + what + "? Name it, or its --data-dir"
            : "a " + what + " and --data-dir: only one can be looked at");
  }
  return Status::Ok();
}

}  // namespace

void AddTarget(CLI::App* command, Target* target, const std::string& what) {
  AddOption(command, what, &target->file, "what to look at");
  AddOption(command, "--data-dir", &target->data_dir,
            "a data directory, not in use, instead of " + what);
}

std::string DatabaseIn(const std::string& data_dir) {
  return JoinPath(SnapIn(data_dir), "db");
}

std::string SnapIn(const std::string& data_dir) {
  return JoinPath(data_dir, "member/snap");
}

std::string WalIn(const std::string& data_dir) {
  return JoinPath(data_dir, "member/wal");
}

StatusOr<std::string> DatabasePath(Env* env, const Target& target) {
  RETURN_IF_ERROR(CheckOne(target, "db file"));
  if (!target.data_dir.empty()) return DatabaseFileIn(env, target.data_dir);
  if (IsDirectory(env, target.file)) return DatabaseFileIn(env, target.file);
  return target.file;
}

StatusOr<std::string> WalPath(Env* env, const Target& target) {
  RETURN_IF_ERROR(CheckOne(target, "log directory"));
  const std::string& directory =
      target.data_dir.empty() ? target.file : target.data_dir;
  const std::string inside = WalIn(directory);
  if (!target.data_dir.empty() || IsDirectory(env, inside)) return inside;
  return directory;
}

}  // namespace strata::utl
