#include "server/incoming_snapshot.h"

#include <utility>

#include "base/bytes.h"

namespace strata {
namespace {

// All that is unsynced at the end would go to the disk at once, and all that
// others sync there would wait for it.
constexpr uint64_t kUnsyncedBytes = 4 << 20;
constexpr std::string_view kSuffix = ".snap.db";
constexpr std::string_view kUnfinished = ".snap.db.part";

std::string Hex16(uint64_t number) {
  std::string bytes;
  AppendBig64(&bytes, number);
  return ToHex(bytes);
}

class DatabaseFile final : public IncomingSnapshot {
 public:
  DatabaseFile(Env* env, std::string path, std::string directory,
               std::string part, std::unique_ptr<File> file,
               std::function<void()> finished)
      : env_(env),
        path_(std::move(path)),
        directory_(std::move(directory)),
        part_(std::move(part)),
        file_(std::move(file)),
        finished_(std::move(finished)) {}

  ~DatabaseFile() override {
    if (file_ == nullptr) return;
    file_.reset();
    env_->Remove(part_).IgnoreError();
  }

  Status Write(std::string_view bytes) override {
    RETURN_IF_ERROR(file_->WriteAt(size_, bytes));
    size_ += bytes.size();
    unsynced_ += bytes.size();
    if (unsynced_ < kUnsyncedBytes) return Status::Ok();
    unsynced_ = 0;
    return file_->Sync();
  }

  Status Finish() override {
    RETURN_IF_ERROR(file_->Sync());
    RETURN_IF_ERROR(env_->Rename(part_, path_));
    RETURN_IF_ERROR(env_->SyncDir(directory_));
    file_.reset();
    finished_();
    return Status::Ok();
  }

 private:
  Env* const env_;
  const std::string path_;
  const std::string directory_;
  const std::string part_;
  std::unique_ptr<File> file_;
  const std::function<void()> finished_;
  uint64_t size_ = 0;
  uint64_t unsynced_ = 0;
};

}  // namespace

std::string IncomingDatabasePath(const std::string& snap_directory,
                                 LogIndex index) {
  return JoinPath(snap_directory, Hex16(index.value()) + std::string(kSuffix));
}

StatusOr<std::unique_ptr<IncomingSnapshot>> ReceiveDatabase(
    Env* env, const std::string& snap_directory, LogIndex index,
    uint64_t number, std::function<void()> finished) {
  const std::string part = JoinPath(
      snap_directory, Hex16(index.value()) + "." + std::to_string(number) +
                          std::string(kUnfinished));
  if (env->Exists(part)) RETURN_IF_ERROR(env->Remove(part));
  ASSIGN_OR_RETURN(auto file, env->Open(part, OpenMode::kCreate));
  return std::unique_ptr<IncomingSnapshot>(std::make_unique<DatabaseFile>(
      env, IncomingDatabasePath(snap_directory, index), snap_directory, part,
      std::move(file), std::move(finished)));
}

Status RemoveIncoming(Env* env, const std::string& snap_directory,
                      LogIndex keep) {
  if (!env->Exists(snap_directory)) return Status::Ok();
  ASSIGN_OR_RETURN(const auto names, env->List(snap_directory));
  const std::string kept = Hex16(keep.value()) + std::string(kSuffix);
  for (const std::string& name : names) {
    if (name == kept) continue;
    if (!name.ends_with(kSuffix) && !name.ends_with(kUnfinished)) continue;
    RETURN_IF_ERROR(env->Remove(JoinPath(snap_directory, name)));
  }
  return Status::Ok();
}

Status RemoveOutrun(Env* env, const std::string& snap_directory,
                    LogIndex applied) {
  ASSIGN_OR_RETURN(const auto names, env->List(snap_directory));
  const std::string last = Hex16(applied.value()) + std::string(kSuffix);
  for (const std::string& name : names) {
    if (!name.ends_with(kSuffix) || name.size() != last.size()) continue;
    if (name > last) continue;
    RETURN_IF_ERROR(env->Remove(JoinPath(snap_directory, name)));
  }
  return Status::Ok();
}

}  // namespace strata
