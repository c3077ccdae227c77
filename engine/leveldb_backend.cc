#include "engine/leveldb_backend.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>
#include <leveldb/write_batch.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "engine/btree/image.h"
#include "engine/leveldb_env.h"

namespace strata {
namespace {

constexpr uint32_t kSnapshotPageSize = 4096;
// Rows of our own: the prefix is no table's.
constexpr std::string_view kFormatKey("\0format", 7);
constexpr std::string_view kFormat = "strata leveldb 1";
constexpr std::string_view kLiveKey("\0live", 5);

char PrefixOf(Table table) {
  return static_cast<char>(static_cast<int>(table) + 1);
}

std::string FullKey(Table table, std::string_view key) {
  std::string full;
  full.reserve(key.size() + 1);
  full += PrefixOf(table);
  return full.append(key);
}

leveldb::Slice SliceOf(std::string_view bytes) {
  return leveldb::Slice(bytes.data(), bytes.size());
}
std::string_view ViewOf(const leveldb::Slice& slice) {
  return std::string_view(slice.data(), slice.size());
}

// LevelDB's own log of what it does, for those who look for it.
class InfoLog : public leveldb::Logger {
 public:
  explicit InfoLog(strata::Logger* logger) : logger_(logger) {}

  void Logv(const char* format, std::va_list arguments) override {
    if (!logger_->Enabled(LogLevel::kDebug)) return;
    char line[512];
    std::vsnprintf(line, sizeof line, format, arguments);
    logger_->Debug("leveldb", {{"line", line}});
  }

 private:
  strata::Logger* const logger_;
};

// The database with what it needs to live, in the order of its making.
struct Database {
  Database(Env* base, const std::string& directory,
           const LeveldbOptions& options, const LeveldbBugs& bugs,
           Logger* logger)
      : env(base, directory, options, bugs),
        info_log(logger),
        cache(leveldb::NewLRUCache(options.block_cache_bytes)) {}
  ~Database() {
    // LevelDB would wait for what is due for ever.
    env.RunDue();
  }

  LeveldbEnv env;
  InfoLog info_log;
  std::unique_ptr<leveldb::Cache> cache;
  std::unique_ptr<leveldb::DB> db;
};

// A LevelDB snapshot, shared by a view and its forks.
class Pinned {
 public:
  explicit Pinned(Database* database)
      : database_(database), snapshot_(database->db->GetSnapshot()) {}
  ~Pinned() { database_->db->ReleaseSnapshot(snapshot_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  const LeveldbEnv& env() const { return database_->env; }
  leveldb::DB* db() const { return database_->db.get(); }
  // The environment checks every block, so LevelDB need not.
  leveldb::ReadOptions read_options() const {
    leveldb::ReadOptions options;
    options.snapshot = snapshot_;
    return options;
  }

 private:
  Database* const database_;
  const leveldb::Snapshot* const snapshot_;
};

class LeveldbIterator : public View::Iterator {
 public:
  LeveldbIterator(std::shared_ptr<const Pinned> pinned, char prefix)
      : pinned_(std::move(pinned)), prefix_(prefix) {
    leveldb::ReadOptions options = pinned_->read_options();
    options.fill_cache = false;
    rows_.reset(pinned_->db()->NewIterator(options));
  }

  void SeekToFirst() override { Seek({}); }
  void Seek(std::string_view key) override {
    target_.assign(1, prefix_).append(key);
    rows_->Seek(SliceOf(target_));
    Settle();
  }
  bool Valid() const override { return valid_; }
  void Next() override {
    rows_->Next();
    Settle();
  }
  std::string_view key() const override {
    return ViewOf(rows_->key()).substr(1);
  }
  std::string_view value() const override { return ViewOf(rows_->value()); }
  Status status() const override { return FromLeveldb(rows_->status()); }
  bool stays() const override { return false; }

 private:
  // LevelDB would go on behind a damaged block.
  void Settle() {
    valid_ = rows_->Valid() && rows_->key()[0] == prefix_ &&
             (!pinned_->env().damaged() || rows_->status().ok());
  }

  const std::shared_ptr<const Pinned> pinned_;
  const char prefix_;
  std::string target_;
  std::unique_ptr<leveldb::Iterator> rows_;
  bool valid_ = false;
};

class LeveldbView : public View {
 public:
  explicit LeveldbView(std::shared_ptr<const Pinned> pinned)
      : pinned_(std::move(pinned)) {}

  StatusOr<std::optional<std::string_view>> Get(
      Table table, std::string_view key) const override {
    std::string value;
    const leveldb::Status status = pinned_->db()->Get(
        pinned_->read_options(), SliceOf(FullKey(table, key)), &value);
    if (status.IsNotFound()) return std::optional<std::string_view>();
    if (!status.ok()) return FromLeveldb(status);
    std::lock_guard<std::mutex> lock(mutex_);
    values_.push_back(std::move(value));
    return std::optional<std::string_view>(values_.back());
  }

  std::unique_ptr<Iterator> NewIterator(Table table) const override {
    return std::make_unique<LeveldbIterator>(pinned_, PrefixOf(table));
  }

  std::shared_ptr<const View> Fork() const override {
    return std::make_shared<const LeveldbView>(pinned_);
  }

 private:
  const std::shared_ptr<const Pinned> pinned_;
  mutable std::mutex mutex_;
  mutable std::deque<std::string> values_;  // guarded by mutex_; what Get gave
};

class LeveldbBackend : public Backend {
 public:
  explicit LeveldbBackend(std::unique_ptr<Database> database)
      : database_(std::move(database)) {}

  // Once, when LevelDB has opened.
  Status Start();

  StatusOr<std::shared_ptr<const View>> NewView() override {
    return std::make_shared<const LeveldbView>(
        std::make_shared<const Pinned>(database_.get()));
  }
  Status Write(const Batch& batch) override;
  Status Sync() override;
  Status Check(const std::function<void(const std::string&)>& report) override;
  StatusOr<ScrubProgress> ScrubStep(
      uint64_t max_bytes,
      const std::function<void(const std::string&)>& report) override;
  Status WriteSnapshot(const View& view, const Sink& sink) override {
    return btree::WriteImage(&view, kSnapshotPageSize, sink);
  }
  BackendSizes Sizes() const override {
    const uint64_t files = database_->env.file_bytes();
    return {.file_bytes = files,
            .in_use_bytes = std::min(live_bytes_.load(), files)};
  }

 private:
  // Of the rows that a batch changes: the bytes of each, none if it is not
  // there.
  using Changed = std::unordered_map<std::string_view, std::optional<uint64_t>>;

  StatusOr<std::optional<std::string>> Read(std::string_view full_key);
  StatusOr<std::optional<uint64_t>> RowBytes(std::string_view full_key,
                                             const Changed& changed);
  // What the batch makes of live_bytes_ and last_key_.
  Status Measure(const std::vector<std::string>& keys, const Batch& batch,
                 uint64_t* live, std::string* last);
  Status Apply(leveldb::WriteBatch* rows, bool sync);
  Status Broken(const leveldb::Status& status);
  Status CheckTable(const std::string& path);
  Status CheckRows(const std::function<void(const std::string&)>& report);

  const std::unique_ptr<Database> database_;
  std::atomic<uint64_t> live_bytes_{0};  // written by the writer

  // The writer's:
  Status broken_;
  bool unsynced_ = false;
  // The last of table "key": revisions only grow, so what is greater is new.
  std::string last_key_;
  // The table that the scrub checked last, none at the beginning of a pass, and
  // the bytes of this pass.
  std::string scrubbed_;
  uint64_t scrubbed_bytes_ = 0;
};

// --- opening ---

Status LeveldbBackend::Start() {
  leveldb::DB* const db = database_->db.get();
  ASSIGN_OR_RETURN(const auto format, Read(kFormatKey));
  const std::unique_ptr<leveldb::Iterator> rows(
      db->NewIterator(leveldb::ReadOptions()));
  if (!format.has_value()) {
    rows->SeekToFirst();
    if (rows->Valid()) {
      return FailedPreconditionError("a LevelDB, but not of Strata's making");
    }
    leveldb::WriteBatch first;
    first.Put(SliceOf(kFormatKey), SliceOf(kFormat));
    return Apply(&first, /*sync=*/true);
  }
  if (*format != kFormat) {
    return FailedPreconditionError("its format is \"" + Printable(*format) +
                                   "\", which this version does not know");
  }
  ASSIGN_OR_RETURN(const auto live, Read(kLiveKey));
  if (live.has_value()) {
    if (live->size() != sizeof(uint64_t)) {
      return DataLossError("the count of live bytes is damaged");
    }
    live_bytes_ = LoadLittle64(live->data());
  }
  rows->Seek(SliceOf(std::string(1, PrefixOf(Table::kKey) + 1)));
  rows->Valid() ? rows->Prev() : rows->SeekToLast();
  if (rows->Valid() && rows->key()[0] == PrefixOf(Table::kKey)) {
    last_key_ = rows->key().ToString();
  }
  return FromLeveldb(rows->status());
}

// --- writing ---

StatusOr<std::optional<std::string>> LeveldbBackend::Read(
    std::string_view full_key) {
  std::string value;
  const leveldb::Status status =
      database_->db->Get(leveldb::ReadOptions(), SliceOf(full_key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return FromLeveldb(status);
  return std::optional<std::string>(std::move(value));
}

StatusOr<std::optional<uint64_t>> LeveldbBackend::RowBytes(
    std::string_view full_key, const Changed& changed) {
  const auto found = changed.find(full_key);
  if (found != changed.end()) return found->second;
  ASSIGN_OR_RETURN(const auto value, Read(full_key));
  if (!value.has_value()) return std::optional<uint64_t>();
  return std::optional<uint64_t>(full_key.size() - 1 + value->size());
}

Status LeveldbBackend::Measure(const std::vector<std::string>& keys,
                               const Batch& batch, uint64_t* live,
                               std::string* last) {
  Changed changed;
  changed.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const Batch::Change& change = batch.changes()[i];
    std::optional<uint64_t> now;
    if (!change.erase) now = change.key.size() + change.value.size();
    if (change.table == Table::kKey && !change.erase && keys[i] > *last) {
      *last = keys[i];
    } else {
      ASSIGN_OR_RETURN(const auto before, RowBytes(keys[i], changed));
      *live -= before.value_or(0);
    }
    *live += now.value_or(0);
    changed[keys[i]] = now;
  }
  return Status::Ok();
}

Status LeveldbBackend::Write(const Batch& batch) {
  RETURN_IF_ERROR(CheckBatch(batch));
  RETURN_IF_ERROR(broken_);
  if (batch.empty()) return Status::Ok();
  std::vector<std::string> keys;
  keys.reserve(batch.changes().size());
  leveldb::WriteBatch rows;
  for (const Batch::Change& change : batch.changes()) {
    const std::string& key =
        keys.emplace_back(FullKey(change.table, change.key));
    if (change.erase) {
      rows.Delete(key);
    } else {
      rows.Put(key, SliceOf(change.value));
    }
  }
  uint64_t live = live_bytes_.load();
  std::string last = last_key_;
  RETURN_IF_ERROR(Measure(keys, batch, &live, &last));
  std::string count;
  AppendLittle64(&count, live);
  rows.Put(SliceOf(kLiveKey), count);
  RETURN_IF_ERROR(Apply(&rows, /*sync=*/false));
  live_bytes_ = live;
  last_key_ = std::move(last);
  unsynced_ = true;
  return Status::Ok();
}

Status LeveldbBackend::Sync() {
  RETURN_IF_ERROR(broken_);
  if (!unsynced_) return Status::Ok();
  leveldb::WriteBatch nothing;
  RETURN_IF_ERROR(Apply(&nothing, /*sync=*/true));
  unsynced_ = false;
  return Status::Ok();
}

Status LeveldbBackend::Apply(leveldb::WriteBatch* rows, bool sync) {
  // In the log: 7 bytes for each fragment of at most 32 KiB, and no fewer than
  // two fragments.
  const uint64_t bytes = rows->ApproximateSize();
  Status reserved = database_->env.ReserveLog(bytes + bytes / 4096 + 64);
  if (reserved.code() == Code::kResourceExhausted) return reserved;
  if (!reserved.ok()) return broken_ = reserved;
  leveldb::WriteOptions options;
  options.sync = sync;
  const leveldb::Status status = database_->db->Write(options, rows);
  database_->env.RunDue();
  Status refusal = database_->env.TakeRefusal();
  if (status.ok()) return Status::Ok();
  if (refusal.code() == Code::kResourceExhausted) return refusal;
  return Broken(status);
}

Status LeveldbBackend::Broken(const leveldb::Status& status) {
  broken_ = database_->env.failure();
  if (broken_.ok()) broken_ = FromLeveldb(status);
  return broken_;
}

// --- checking ---

Status LeveldbBackend::CheckTable(const std::string& path) {
  leveldb::RandomAccessFile* opened = nullptr;
  leveldb::Status status = database_->env.NewRandomAccessFile(path, &opened);
  if (!status.ok()) return FromLeveldb(status);
  const std::unique_ptr<leveldb::RandomAccessFile> file(opened);
  uint64_t size = 0;
  status = database_->env.GetFileSize(path, &size);
  if (!status.ok()) return FromLeveldb(status);
  leveldb::Table* made = nullptr;
  leveldb::Options options;  // without a cache: every block is read
  options.paranoid_checks = true;
  status = leveldb::Table::Open(options, file.get(), size, &made);
  if (!status.ok()) return FromLeveldb(status).WithContext(path);
  const std::unique_ptr<leveldb::Table> table(made);
  leveldb::ReadOptions read;
  read.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> rows(table->NewIterator(read));
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) continue;
  return FromLeveldb(rows->status());
}

Status LeveldbBackend::CheckRows(
    const std::function<void(const std::string&)>& report) {
  leveldb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> rows(
      database_->db->NewIterator(options));
  uint64_t live = 0;
  std::string before;
  for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    const std::string_view key = ViewOf(rows->key());
    if (key <= before) report("rows out of order at " + Printable(key));
    before = key;
    if (key == kFormatKey || key == kLiveKey) continue;
    if (key.size() < 2 || key[0] < 1 || key[0] > kTableCount) {
      report("a row of no table: " + Printable(key));
      continue;
    }
    live += key.size() - 1 + rows->value().size();
  }
  if (!rows->status().ok()) {
    report(FromLeveldb(rows->status()).ToString());
  } else if (live != live_bytes_.load()) {
    report("rows of " + std::to_string(live) + " bytes, but " +
           std::to_string(live_bytes_.load()) + " are counted");
  }
  return Status::Ok();
}

Status LeveldbBackend::Check(
    const std::function<void(const std::string&)>& report) {
  LeveldbEnv& env = database_->env;
  RETURN_IF_ERROR(env.FlushLog());
  std::vector<std::string> logs = env.Manifests();
  for (std::string& name : env.Logs()) logs.push_back(std::move(name));
  const auto tell = [&](const Status& status) {
    // LevelDB may have removed a file meanwhile, done with it.
    if (status.ok() || status.code() == Code::kNotFound) return;
    report(status.ToString());
  };
  for (const std::string& name : logs) tell(env.CheckLog(name));
  for (const std::string& name : env.ClosedTables()) {
    tell(CheckTable(env.PathOf(name)));
  }
  return CheckRows(report);
}

// Whole tables, 2 MiB each for the most part; logs are left to Check().
StatusOr<ScrubProgress> LeveldbBackend::ScrubStep(
    uint64_t max_bytes, const std::function<void(const std::string&)>& report) {
  LeveldbEnv& env = database_->env;
  ScrubProgress progress;
  std::vector<std::string> tables = env.ClosedTables();
  // Names are numbers of equal length, and new tables have higher ones.
  std::erase_if(tables, [this](const std::string& name) {
    return name.size() < scrubbed_.size() ||
           (name.size() == scrubbed_.size() && name <= scrubbed_);
  });
  for (const std::string& name : tables) {
    if (progress.checked_bytes >= max_bytes) break;
    uint64_t bytes = 0;
    const std::string path = env.PathOf(name);
    env.GetFileSize(path, &bytes);
    const Status checked = CheckTable(path);
    // LevelDB may have removed it meanwhile, done with it.
    if (!checked.ok() && checked.code() != Code::kNotFound) {
      report(checked.ToString());
    }
    progress.checked_bytes += bytes;
    scrubbed_ = name;
  }
  scrubbed_bytes_ += progress.checked_bytes;
  progress.position = scrubbed_bytes_;
  progress.finished = tables.empty() || tables.back() == scrubbed_;
  if (progress.finished) {
    scrubbed_.clear();
    scrubbed_bytes_ = 0;
  }
  return progress;
}

leveldb::Options MakeOptions(const LeveldbOptions& options,
                             Database* database) {
  leveldb::Options result;
  result.create_if_missing = true;
  result.paranoid_checks = true;
  result.env = &database->env;
  result.info_log = &database->info_log;
  result.write_buffer_size = options.write_buffer_bytes;
  result.block_cache = database->cache.get();
  result.compression =
      options.compress ? leveldb::kSnappyCompression : leveldb::kNoCompression;
  return result;
}

StatusOr<std::unique_ptr<Backend>> Open(Env* env, const std::string& directory,
                                        const LeveldbOptions& options,
                                        Logger* logger,
                                        const LeveldbBugs& bugs) {
  auto database =
      std::make_unique<Database>(env, directory, options, bugs, logger);
  RETURN_IF_ERROR(database->env.Prepare());
  leveldb::DB* db = nullptr;
  const leveldb::Status status =
      leveldb::DB::Open(MakeOptions(options, database.get()), directory, &db);
  if (!status.ok()) {
    const Status failure = database->env.failure();
    return failure.ok() ? FromLeveldb(status) : failure;
  }
  database->db.reset(db);
  database->env.RunDue();
  // The logs that are no longer needed must not come back: a torn one would
  // look like damage once the next has records.
  if (options.fsync) RETURN_IF_ERROR(env->SyncDir(directory));
  auto backend = std::make_unique<LeveldbBackend>(std::move(database));
  RETURN_IF_ERROR(backend->Start());
  return backend;
}

}  // namespace

StatusOr<std::unique_ptr<Backend>> OpenLeveldbBackend(
    Env* env, const std::string& directory, const LeveldbOptions& options,
    Logger* logger, const LeveldbBugs& bugs) {
  auto backend = Open(env, directory, options, logger, bugs);
  if (!backend.ok()) return backend.status().WithContext(directory);
  return backend;
}

StatusOr<std::unique_ptr<Backend>> OpenLeveldbBackend(
    Env* env, const std::string& directory, const LeveldbOptions& options,
    Logger* logger) {
  return OpenLeveldbBackend(env, directory, options, logger, {});
}

bool LeveldbExists(Env* env, const std::string& directory) {
  const auto names = env->List(directory);
  if (!names.ok()) return false;
  return std::any_of(names->begin(), names->end(),
                     [](const std::string& name) { return name != "LOCK"; });
}

}  // namespace strata
