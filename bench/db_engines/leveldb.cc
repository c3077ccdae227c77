#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/iterator.h>
#include <leveldb/write_batch.h>

#include <utility>

#include "base/check.h"
#include "bench/db_engines/engine.h"

namespace strata::bench {
namespace {

void Expect(const leveldb::Status& status) {
  CHECK(status.ok()) << status.ToString();
}
leveldb::Slice ToSlice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view FromSlice(const leveldb::Slice& slice) {
  return {slice.data(), slice.size()};
}

class LevelDbReader : public Engine::Reader {
 public:
  explicit LevelDbReader(leveldb::DB* db) : db_(db) {
    options_.snapshot = db->GetSnapshot();
  }
  ~LevelDbReader() override { db_->ReleaseSnapshot(options_.snapshot); }

  std::string_view Get(std::string_view key) override {
    Expect(db_->Get(options_, ToSlice(key), &value_));
    return value_;
  }

  void Scan(const Row& row) override {
    leveldb::ReadOptions options = options_;
    options.fill_cache = false;
    const std::unique_ptr<leveldb::Iterator> at(db_->NewIterator(options));
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      row(FromSlice(at->key()), FromSlice(at->value()));
    }
    Expect(at->status());
  }

 private:
  leveldb::DB* const db_;
  leveldb::ReadOptions options_;
  std::string value_;
};

class LevelDbEngine : public Engine {
 public:
  explicit LevelDbEngine(const EngineOptions& options)
      : cache_(leveldb::NewLRUCache(options.cache_bytes)) {
    leveldb::Options open;
    open.create_if_missing = true;
    open.block_cache = cache_.get();
    open.write_buffer_size = 16 << 20;  // as strata-leveldb's
    leveldb::DB* db = nullptr;
    Expect(leveldb::DB::Open(open, options.directory, &db));
    db_.reset(db);
    write_.sync = options.sync_commits;
  }

  void Commit(std::span<const Change> changes) override {
    leveldb::WriteBatch batch;
    for (const Change& change : changes) {
      if (change.erase) {
        batch.Delete(ToSlice(change.key));
      } else {
        batch.Put(ToSlice(change.key), ToSlice(change.value));
      }
    }
    Expect(db_->Write(write_, &batch));
  }

  void Finish() override {
    leveldb::WriteOptions sync;
    sync.sync = true;
    leveldb::WriteBatch nothing;
    Expect(db_->Write(sync, &nothing));
  }

  std::unique_ptr<Reader> NewReader() override {
    return std::make_unique<LevelDbReader>(db_.get());
  }

  bool Shrink() override {
    db_->CompactRange(nullptr, nullptr);
    return true;
  }

 private:
  const std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<leveldb::DB> db_;
  leveldb::WriteOptions write_;
};

}  // namespace

std::unique_ptr<Engine> OpenLevelDb(const EngineOptions& options) {
  return std::make_unique<LevelDbEngine>(options);
}

}  // namespace strata::bench
