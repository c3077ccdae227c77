#include "engine/leveldb_env.h"

#include <leveldb/slice.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"

namespace strata {
namespace {

constexpr std::string_view kCurrent = "CURRENT";
constexpr std::string_view kLock = "LOCK";
constexpr std::string_view kManifest = "MANIFEST-";
constexpr std::string_view kFirstManifest = "MANIFEST-000001";
constexpr std::string_view kLog = ".log";
constexpr std::string_view kTable = ".ldb";

constexpr size_t kBufferBytes = 64 << 10;
// Room in a log is taken in such steps.
constexpr uint64_t kReserveStep = 1 << 20;
// Behind each block of a table: its type and checksum.
constexpr size_t kBlockTrailer = 5;

bool IsLog(std::string_view name) { return name.ends_with(kLog); }
bool IsManifest(std::string_view name) { return name.starts_with(kManifest); }
bool IsTable(std::string_view name) { return name.ends_with(kTable); }

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Status TornError(const File& file, uint64_t offset, std::string_view what) {
  return DataLossError(file.path() + " offset " + std::to_string(offset) +
                       ": " + std::string(what));
}

}  // namespace

leveldb::Status ToLeveldb(const Status& status) {
  if (status.ok()) return leveldb::Status::OK();
  if (status.code() == Code::kNotFound) {
    return leveldb::Status::NotFound(status.message());
  }
  if (status.code() == Code::kDataLoss) {
    return leveldb::Status::Corruption(status.message());
  }
  return leveldb::Status::IOError(status.message());
}

Status FromLeveldb(const leveldb::Status& status) {
  if (status.ok()) return Status::Ok();
  if (status.IsCorruption()) return DataLossError(status.ToString());
  if (status.IsNotFound()) return NotFoundError(status.ToString());
  return Status(Code::kUnknown, status.ToString());
}

// A table, mapped. LevelDB reads whole blocks, and the footer at the end.
class LeveldbEnv::TableFile : public leveldb::RandomAccessFile {
 public:
  TableFile(LeveldbEnv* env, std::string path, uint64_t size,
            std::unique_ptr<Mapping> mapping)
      : env_(env),
        path_(std::move(path)),
        size_(size),
        mapping_(std::move(mapping)) {}

  leveldb::Status Read(uint64_t offset, size_t bytes, leveldb::Slice* result,
                       char*) const override {
    if (offset > size_ || bytes > size_ - offset) {
      return Bad(offset, "the file ends before its block");
    }
    const char* const data = mapping_->data() + offset;
    const bool footer = offset + bytes == size_;
    if (!footer && !IsSound(std::string_view(data, bytes))) {
      return Bad(offset, "a block's checksum does not match");
    }
    *result = leveldb::Slice(data, bytes);
    return leveldb::Status::OK();
  }

 private:
  static bool IsSound(std::string_view block) {
    if (block.size() < kBlockTrailer) return false;
    const size_t at = block.size() - sizeof(uint32_t);
    return LeveldbMaskedCrc(crc32c::Value(block.substr(0, at))) ==
           LoadLittle32(block.data() + at);
  }

  leveldb::Status Bad(uint64_t offset, const char* what) const {
    env_->NoteDamage();
    return leveldb::Status::Corruption(
        path_ + " offset " + std::to_string(offset), what);
  }

  LeveldbEnv* const env_;
  const std::string path_;
  const uint64_t size_;
  const std::unique_ptr<Mapping> mapping_;
};

class LeveldbEnv::SequentialReader : public leveldb::SequentialFile {
 public:
  SequentialReader(std::unique_ptr<File> file, uint64_t size)
      : file_(std::move(file)), size_(size) {}

  leveldb::Status Read(size_t bytes, leveldb::Slice* result,
                       char* scratch) override {
    bytes = std::min<uint64_t>(bytes, size_ - at_);
    const strata::Status status = file_->ReadAt(at_, bytes, scratch);
    if (!status.ok()) return ToLeveldb(status);
    at_ += bytes;
    *result = leveldb::Slice(scratch, bytes);
    return leveldb::Status::OK();
  }

  leveldb::Status Skip(uint64_t bytes) override {
    at_ += std::min(bytes, size_ - at_);
    return leveldb::Status::OK();
  }

 private:
  const std::unique_ptr<File> file_;
  const uint64_t size_;
  uint64_t at_ = 0;
};

// A file being written. Flush() keeps nothing: a state that must outlive the
// process is asked for by Sync().
class LeveldbEnv::Output : public leveldb::WritableFile {
 public:
  Output(LeveldbEnv* env, std::unique_ptr<File> file)
      : env_(env), file_(std::move(file)), name_(BaseName(file_->path())) {}

  ~Output() override {
    if (!closed_) Finish().IgnoreError();  // it is the environment's failure
    env_->Closed(this, name_);
  }

  leveldb::Status Append(const leveldb::Slice& data) override {
    buffer_.append(data.data(), data.size());
    unsynced_ = true;
    return ToLeveldb(buffer_.size() < kBufferBytes ? env_->failure()
                                                   : WriteOut());
  }
  leveldb::Status Flush() override { return leveldb::Status::OK(); }
  leveldb::Status Sync() override { return ToLeveldb(SyncAll()); }
  leveldb::Status Close() override { return ToLeveldb(Finish()); }

  // Blocks for so many more bytes.
  strata::Status Reserve(uint64_t bytes) {
    const uint64_t need = written_ + buffer_.size() + bytes;
    if (need <= reserved_) return strata::Status::Ok();
    const uint64_t step = (need + kReserveStep - 1) & ~(kReserveStep - 1);
    RETURN_IF_ERROR(file_->Allocate(step));
    reserved_ = step;
    env_->Resized(name_, std::max(written_, reserved_));
    return strata::Status::Ok();
  }

  strata::Status WriteOut() {
    RETURN_IF_ERROR(env_->failure());
    if (buffer_.empty()) return strata::Status::Ok();
    strata::Status status = file_->WriteAt(written_, buffer_);
    if (!status.ok()) return env_->Fail(status);
    written_ += buffer_.size();
    buffer_.clear();
    env_->Resized(name_, std::max(written_, reserved_));
    return strata::Status::Ok();
  }

 private:
  strata::Status SyncAll() {
    RETURN_IF_ERROR(WriteOut());
    if (!env_->options_.fsync || !unsynced_) return strata::Status::Ok();
    strata::Status status = file_->Sync();
    if (status.ok() && !named_) status = env_->SyncDirectory();
    if (!status.ok()) return env_->Fail(status);
    named_ = true;
    unsynced_ = false;
    return strata::Status::Ok();
  }

  strata::Status Finish() {
    closed_ = true;
    const bool sync = IsLog(name_) && !env_->bugs_.no_sync_at_log_close;
    return sync ? SyncAll() : WriteOut();
  }

  LeveldbEnv* const env_;
  const std::unique_ptr<File> file_;
  const std::string name_;
  std::string buffer_;
  uint64_t written_ = 0;
  uint64_t reserved_ = 0;
  bool unsynced_ = false;
  bool named_ = false;  // its name is durable
  bool closed_ = false;
};

LeveldbEnv::LeveldbEnv(strata::Env* env, std::string directory,
                       const LeveldbOptions& options, const LeveldbBugs& bugs)
    : env_(env),
      directory_(std::move(directory)),
      options_(options),
      bugs_(bugs) {}

LeveldbEnv::~LeveldbEnv() = default;

// --- opening ---

strata::Status LeveldbEnv::Prepare() {
  RETURN_IF_ERROR(env_->MakeDirs(directory_));
  ASSIGN_OR_RETURN(lock_,
                   env_->Open(JoinPath(directory_, kLock), OpenMode::kCreate));
  RETURN_IF_ERROR(lock_->Lock());
  ASSIGN_OR_RETURN(const auto names, env_->List(directory_));
  RETURN_IF_ERROR(CheckNames(names));
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(
        auto file, env_->Open(JoinPath(directory_, name), OpenMode::kReadOnly));
    ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    Resized(name, size);
  }
  return MeasureLogs();
}

// LevelDB would make a new database where CURRENT is missing, and remove the
// files of the old one.
strata::Status LeveldbEnv::CheckNames(const std::vector<std::string>& names) {
  if (env_->Exists(JoinPath(directory_, kCurrent))) return strata::Status::Ok();
  for (const std::string& name : names) {
    if (IsLog(name) || IsTable(name) ||
        (IsManifest(name) && name != kFirstManifest)) {
      return DataLossError(JoinPath(directory_, kCurrent) +
                           " is missing, but there is " + name);
    }
  }
  return strata::Status::Ok();
}

// A log is whole when the next one gets its first record.
strata::Status LeveldbEnv::MeasureLogs() {
  if (bugs_.keep_torn_tail) return strata::Status::Ok();
  strata::Status torn;
  for (const std::string& name : Names(kLog, true)) {
    ASSIGN_OR_RETURN(
        auto file, env_->Open(JoinPath(directory_, name), OpenMode::kReadOnly));
    ASSIGN_OR_RETURN(const LeveldbLogExtent extent, MeasureLeveldbLog(*file));
    if (extent.records > 0 && !torn.ok()) return torn;
    if (extent.torn) {
      torn = TornError(*file, extent.sound_bytes,
                       "a damaged record, and a later log goes on");
    }
    extents_[name] = extent;
  }
  return strata::Status::Ok();
}

// Each record of the manifest is synced before the next is written, and before
// what it makes superfluous is removed. So after a crash the last one may be
// torn, but all that the one before it needs is there: LevelDB itself looks for
// its tables.
StatusOr<uint64_t> LeveldbEnv::SoundBytes(const std::string& name,
                                          const File& file) {
  if (bugs_.keep_torn_tail) return file.Size();
  if (const auto found = extents_.find(name); found != extents_.end()) {
    return found->second.sound_bytes;
  }
  if (!IsManifest(name)) return file.Size();
  uint64_t log = 0;
  ASSIGN_OR_RETURN(const LeveldbLogExtent extent,
                   MeasureLeveldbLog(file, [&log](std::string_view record) {
                     log = LogNumberOfManifestEdit(record).value_or(log);
                   }));
  if (extent.sound_after > 0) {
    return TornError(file, extent.sound_bytes,
                     "a damaged record, and sound ones after it");
  }
  if (extent.torn && log > 0 && !HasLog(log)) {
    return TornError(file, extent.sound_bytes,
                     "a damaged record, and no log " + std::to_string(log));
  }
  return extent.sound_bytes;
}

strata::Status LeveldbEnv::CheckLog(const std::string& name) const {
  ASSIGN_OR_RETURN(auto file,
                   env_->Open(JoinPath(directory_, name), OpenMode::kReadOnly));
  ASSIGN_OR_RETURN(const LeveldbLogExtent extent, MeasureLeveldbLog(*file));
  // The compactor may be in the middle of adding to the manifest.
  const bool growing = IsManifest(name) && !inline_work();
  if (growing ? extent.sound_after > 0 : extent.torn) {
    return TornError(*file, extent.sound_bytes, "a damaged record");
  }
  return strata::Status::Ok();
}

bool LeveldbEnv::HasLog(uint64_t number) const {
  std::string digits = std::to_string(number);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return env_->Exists(JoinPath(directory_, digits + std::string(kLog)));
}

// --- the writer's ---

strata::Status LeveldbEnv::ReserveLog(uint64_t bytes) {
  RETURN_IF_ERROR(failure());
  log_reserve_ = bytes;
  if (log_ == nullptr) return strata::Status::Ok();
  strata::Status status = log_->Reserve(bytes);
  if (status.ok() || status.code() == Code::kResourceExhausted) return status;
  return Fail(status);
}

strata::Status LeveldbEnv::TakeRefusal() {
  return std::exchange(refusal_, strata::Status::Ok());
}

strata::Status LeveldbEnv::FlushLog() {
  return log_ == nullptr ? strata::Status::Ok() : log_->WriteOut();
}

void LeveldbEnv::RunDue() {
  for (;;) {
    std::pair<void (*)(void*), void*> work;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (due_.empty()) return;
      work = due_.front();
      due_.pop_front();
    }
    work.first(work.second);
  }
}

// --- what is known of the files ---

strata::Status LeveldbEnv::failure() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return failure_;
}

strata::Status LeveldbEnv::Fail(const strata::Status& status) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!failure_.ok()) return failure_;
  failure_ = status;
  if (status.code() == Code::kResourceExhausted) {
    failure_ = UnavailableError(status.message() +
                                ": LevelDB does not go on without a restart");
  }
  return failure_;
}

void LeveldbEnv::Resized(const std::string& name, uint64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  Known& known = files_[name];
  file_bytes_ += bytes - known.bytes;
  known.bytes = bytes;
}

void LeveldbEnv::Closed(const Output* output, const std::string& name) {
  if (log_ == output) log_ = nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  if (auto found = files_.find(name); found != files_.end()) {
    found->second.open = false;
  }
}

strata::Status LeveldbEnv::SyncDirectory() {
  if (!options_.fsync || bugs_.no_directory_sync) return strata::Status::Ok();
  return env_->SyncDir(directory_);
}

std::vector<std::string> LeveldbEnv::Names(std::string_view kind,
                                           bool also_open) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, known] : files_) {
    const bool fits =
        kind == kManifest ? IsManifest(name) : name.ends_with(kind);
    if (fits && (also_open || !known.open)) names.push_back(name);
  }
  // By number: a longer one is a later one.
  std::stable_sort(
      names.begin(), names.end(),
      [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return names;
}

std::vector<std::string> LeveldbEnv::ClosedTables() const {
  return Names(kTable, false);
}
std::vector<std::string> LeveldbEnv::Logs() const { return Names(kLog, true); }
std::vector<std::string> LeveldbEnv::Manifests() const {
  return Names(kManifest, true);
}

// --- leveldb::Env ---

leveldb::Status LeveldbEnv::NewSequentialFile(
    const std::string& path, leveldb::SequentialFile** result) {
  auto file = env_->Open(path, OpenMode::kReadOnly);
  if (!file.ok()) return ToLeveldb(file.status());
  const auto size = SoundBytes(BaseName(path), **file);
  if (!size.ok()) return ToLeveldb(size.status());
  *result = new SequentialReader(std::move(*file), *size);
  return leveldb::Status::OK();
}

leveldb::Status LeveldbEnv::NewRandomAccessFile(
    const std::string& path, leveldb::RandomAccessFile** result) {
  auto file = env_->Open(path, OpenMode::kReadOnly);
  if (!file.ok()) return ToLeveldb(file.status());
  const auto size = (*file)->Size();
  if (!size.ok()) return ToLeveldb(size.status());
  if (*size == 0) {
    return ToLeveldb(DataLossError(path + " is empty"));
  }
  auto mapping = (*file)->Map(*size, {});
  if (!mapping.ok()) return ToLeveldb(mapping.status());
  *result = new TableFile(this, path, *size, std::move(*mapping));
  return leveldb::Status::OK();
}

leveldb::Status LeveldbEnv::NewWritableFile(const std::string& path,
                                            leveldb::WritableFile** result) {
  if (const auto failed = failure(); !failed.ok()) return ToLeveldb(failed);
  auto file = env_->Open(path, OpenMode::kCreate);
  if (!file.ok()) return ToLeveldb(Fail(file.status()));
  const strata::Status emptied = (*file)->Resize(0);
  if (!emptied.ok()) return ToLeveldb(Fail(emptied));
  const std::string name = BaseName(path);
  Resized(name, 0);
  auto output = std::make_unique<Output>(this, std::move(*file));
  if (IsLog(name)) {
    refusal_ = output->Reserve(log_reserve_);
    if (!refusal_.ok()) return ToLeveldb(refusal_);
    log_ = output.get();
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    files_[name].open = true;
  }
  *result = output.release();
  return leveldb::Status::OK();
}

bool LeveldbEnv::FileExists(const std::string& path) {
  return env_->Exists(path);
}

leveldb::Status LeveldbEnv::GetChildren(const std::string& directory,
                                        std::vector<std::string>* result) {
  auto names = env_->List(directory);
  if (!names.ok()) return ToLeveldb(names.status());
  *result = std::move(*names);
  return leveldb::Status::OK();
}

// A removal that a power loss undoes is made again at the next open.
leveldb::Status LeveldbEnv::RemoveFile(const std::string& path) {
  if (const auto failed = failure(); !failed.ok()) return ToLeveldb(failed);
  const strata::Status removed = env_->Remove(path);
  if (!removed.ok()) return ToLeveldb(removed);
  std::lock_guard<std::mutex> lock(mutex_);
  if (const auto found = files_.find(BaseName(path)); found != files_.end()) {
    file_bytes_ -= found->second.bytes;
    files_.erase(found);
  }
  return leveldb::Status::OK();
}

leveldb::Status LeveldbEnv::CreateDir(const std::string& directory) {
  return ToLeveldb(env_->MakeDirs(directory));
}

leveldb::Status LeveldbEnv::RemoveDir(const std::string& directory) {
  return ToLeveldb(env_->RemoveAll(directory));
}

leveldb::Status LeveldbEnv::GetFileSize(const std::string& path,
                                        uint64_t* size) {
  auto file = env_->Open(path, OpenMode::kReadOnly);
  if (!file.ok()) return ToLeveldb(file.status());
  auto found = (*file)->Size();
  if (!found.ok()) return ToLeveldb(found.status());
  *size = *found;
  return leveldb::Status::OK();
}

leveldb::Status LeveldbEnv::RenameFile(const std::string& from,
                                       const std::string& to) {
  if (const auto failed = failure(); !failed.ok()) return ToLeveldb(failed);
  strata::Status status = env_->Rename(from, to);
  if (status.ok()) status = SyncDirectory();
  if (!status.ok()) return ToLeveldb(Fail(status));
  std::lock_guard<std::mutex> lock(mutex_);
  if (auto found = files_.find(BaseName(from)); found != files_.end()) {
    file_bytes_ -= files_[BaseName(to)].bytes;
    files_[BaseName(to)] = found->second;
    files_.erase(BaseName(from));
  }
  return leveldb::Status::OK();
}

// Prepare() has it, and this object keeps it: LevelDB gives its lock back
// before it closes its log.
leveldb::Status LeveldbEnv::LockFile(const std::string&,
                                     leveldb::FileLock** lock) {
  CHECK(lock_ != nullptr);
  *lock = new leveldb::FileLock;
  return leveldb::Status::OK();
}

leveldb::Status LeveldbEnv::UnlockFile(leveldb::FileLock* lock) {
  delete lock;
  return leveldb::Status::OK();
}

void LeveldbEnv::Schedule(void (*function)(void* arg), void* arg) {
  if (options_.compactor != nullptr) {
    options_.compactor->Post([function, arg] { function(arg); });
    return;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  due_.emplace_back(function, arg);
}

void LeveldbEnv::StartThread(void (*)(void* arg), void*) {
  CHECK(false) << "LevelDB starts no threads but by Schedule";
}

leveldb::Status LeveldbEnv::GetTestDirectory(std::string*) {
  return leveldb::Status::NotSupported("a directory for tests");
}

leveldb::Status LeveldbEnv::NewLogger(const std::string&, leveldb::Logger**) {
  return leveldb::Status::NotSupported("a logger is passed in");
}

// For LevelDB's own statistics, which nobody reads.
uint64_t LeveldbEnv::NowMicros() { return 0; }

// Asked for to slow a writer down by a millisecond when table files pile up.
// Ours is the flusher, for whom nobody waits; it stops when there are too many.
void LeveldbEnv::SleepForMicroseconds(int) {}

}  // namespace strata
