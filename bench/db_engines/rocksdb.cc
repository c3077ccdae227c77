#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <utility>

#include "base/check.h"
#include "bench/db_engines/engine.h"

namespace strata::bench {
namespace {

void Expect(const rocksdb::Status& status) {
  CHECK(status.ok()) << status.ToString();
}
rocksdb::Slice ToSlice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view FromSlice(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

class RocksDbReader : public Engine::Reader {
 public:
  explicit RocksDbReader(rocksdb::DB* db) : db_(db) {
    options_.snapshot = db->GetSnapshot();
  }
  ~RocksDbReader() override { db_->ReleaseSnapshot(options_.snapshot); }

  std::string_view Get(std::string_view key) override {
    value_.Reset();
    Expect(
        db_->Get(options_, db_->DefaultColumnFamily(), ToSlice(key), &value_));
    return FromSlice(value_);
  }

  void Scan(const Row& row) override {
    rocksdb::ReadOptions options = options_;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options));
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      row(FromSlice(at->key()), FromSlice(at->value()));
    }
    Expect(at->status());
  }

 private:
  rocksdb::DB* const db_;
  rocksdb::ReadOptions options_;
  rocksdb::PinnableSlice value_;
};

class RocksDbEngine : public Engine {
 public:
  explicit RocksDbEngine(const EngineOptions& options) {
    rocksdb::Options open;
    open.create_if_missing = true;
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(options.cache_bytes);
    open.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocksdb::DB* db = nullptr;
    Expect(rocksdb::DB::Open(open, options.directory, &db));
    db_.reset(db);
    write_.sync = options.sync_commits;
  }

  void Commit(std::span<const Change> changes) override {
    rocksdb::WriteBatch batch;
    for (const Change& change : changes) {
      Expect(change.erase
                 ? batch.Delete(ToSlice(change.key))
                 : batch.Put(ToSlice(change.key), ToSlice(change.value)));
    }
    Expect(db_->Write(write_, &batch));
  }

  void Finish() override { Expect(db_->FlushWAL(/*sync=*/true)); }

  std::unique_ptr<Reader> NewReader() override {
    return std::make_unique<RocksDbReader>(db_.get());
  }

  bool Shrink() override {
    Expect(db_->CompactRange({}, nullptr, nullptr));
    return true;
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_;
};

}  // namespace

std::unique_ptr<Engine> OpenRocksDb(const EngineOptions& options) {
  return std::make_unique<RocksDbEngine>(options);
}

}  // namespace strata::bench
