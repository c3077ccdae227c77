#ifndef STRATA_ENGINE_LEVELDB_ENV_H_
#define STRATA_ENGINE_LEVELDB_ENV_H_

#include <leveldb/env.h>
#include <leveldb/status.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "engine/leveldb_backend.h"
#include "engine/leveldb_log.h"

namespace strata {

leveldb::Status ToLeveldb(const Status& status);
// Corruption is DataLoss; what LevelDB says of a file is in its text.
Status FromLeveldb(const leveldb::Status& status);

// The disk as LevelDB sees it: one directory of an Env. It mends what LevelDB
// leaves to chance at a power loss:
//
// - A log is synced before it is closed, so that a batch in the next log is
//   never there without those before it (google/leveldb#193).
// - A file's first sync and each rename are followed by one of the directory,
//   so that no name is lost.
// - Logs and the manifest are read up to their last sound record: behind a torn
//   one there may be sound ones that never were part of a state.
// - Each block of a table is checked when it is read, and a bad one named by
//   file and offset.
//
// After a change of the disk has failed every later one fails too.
//
// Thread-safe, but for ReserveLog, FlushLog and RunDue, which are the writer's.
class LeveldbEnv : public leveldb::Env {
 public:
  LeveldbEnv(strata::Env* env, std::string directory,
             const LeveldbOptions& options, const LeveldbBugs& bugs);
  ~LeveldbEnv() override;

  // Once, before LevelDB opens the directory: locks it and looks at its files.
  strata::Status Prepare();

  // Takes room for `bytes` more in the log, and as much in the next one if the
  // log is switched. ResourceExhausted if there is none; nothing has changed.
  strata::Status ReserveLog(uint64_t bytes);
  // A failed reservation for a new log, which LevelDB got over.
  strata::Status TakeRefusal();
  strata::Status FlushLog();
  // Does the background work that is due, if no loop does it.
  void RunDue();
  bool inline_work() const { return options_.compactor == nullptr; }

  // The first change of the disk that failed; OK if none has.
  strata::Status failure() const;
  // Of all files.
  uint64_t file_bytes() const { return file_bytes_.load(); }
  // Whether a bad block has been read.
  bool damaged() const { return damaged_.load(std::memory_order_relaxed); }

  std::string PathOf(const std::string& name) const {
    return JoinPath(directory_, name);
  }
  // Names of files that LevelDB is not writing just now.
  std::vector<std::string> ClosedTables() const;
  std::vector<std::string> Logs() const;
  std::vector<std::string> Manifests() const;
  // DataLoss if a log or manifest is torn, and may not be.
  strata::Status CheckLog(const std::string& name) const;

  // leveldb::Env.
  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** result) override;
  leveldb::Status NewRandomAccessFile(
      const std::string& path, leveldb::RandomAccessFile** result) override;
  leveldb::Status NewWritableFile(const std::string& path,
                                  leveldb::WritableFile** result) override;
  bool FileExists(const std::string& path) override;
  leveldb::Status GetChildren(const std::string& directory,
                              std::vector<std::string>* result) override;
  leveldb::Status RemoveFile(const std::string& path) override;
  leveldb::Status CreateDir(const std::string& directory) override;
  leveldb::Status RemoveDir(const std::string& directory) override;
  leveldb::Status GetFileSize(const std::string& path, uint64_t* size) override;
  leveldb::Status RenameFile(const std::string& from,
                             const std::string& to) override;
  leveldb::Status LockFile(const std::string& path,
                           leveldb::FileLock** lock) override;
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override;
  void Schedule(void (*function)(void* arg), void* arg) override;
  void StartThread(void (*function)(void* arg), void* arg) override;
  leveldb::Status GetTestDirectory(std::string* path) override;
  leveldb::Status NewLogger(const std::string& path,
                            leveldb::Logger** result) override;
  uint64_t NowMicros() override;
  void SleepForMicroseconds(int micros) override;

 private:
  class TableFile;
  class SequentialReader;
  class Output;

  struct Known {
    uint64_t bytes = 0;
    bool open = false;  // for writing
  };

  // Remembers a failure; gives the first one.
  strata::Status Fail(const strata::Status& status);
  void Resized(const std::string& name, uint64_t bytes);
  void Closed(const Output* output, const std::string& name);
  void NoteDamage() { damaged_.store(true, std::memory_order_relaxed); }
  strata::Status SyncDirectory();
  strata::Status CheckNames(const std::vector<std::string>& names);
  strata::Status MeasureLogs();
  StatusOr<uint64_t> SoundBytes(const std::string& name, const File& file);
  bool HasLog(uint64_t number) const;
  std::vector<std::string> Names(std::string_view kind, bool also_open) const;

  strata::Env* const env_;
  const std::string directory_;
  const LeveldbOptions options_;
  const LeveldbBugs bugs_;
  std::unique_ptr<File> lock_;
  std::map<std::string, LeveldbLogExtent> extents_;  // of logs, at Prepare
  std::atomic<uint64_t> file_bytes_{0};
  std::atomic<bool> damaged_{false};

  // The writer's.
  Output* log_ = nullptr;
  uint64_t log_reserve_ = 0;
  strata::Status refusal_;

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::map<std::string, Known> files_;
  strata::Status failure_;
  std::deque<std::pair<void (*)(void*), void*>> due_;
};

}  // namespace strata

#endif  // STRATA_ENGINE_LEVELDB_ENV_H_
