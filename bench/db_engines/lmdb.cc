#include <fcntl.h>
#include <lmdb.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "base/check.h"
#include "bench/db_engines/engine.h"

namespace strata::bench {
namespace {

constexpr size_t kMapBytes = size_t{64} << 30;
constexpr unsigned kReaders = 256;

void Expect(int result) { CHECK_EQ(result, 0) << mdb_strerror(result); }

MDB_val ToVal(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}
std::string_view FromVal(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

class LmdbReader : public Engine::Reader {
 public:
  LmdbReader(MDB_env* env, MDB_dbi table) : table_(table) {
    Expect(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn_));
  }
  ~LmdbReader() override { mdb_txn_abort(txn_); }

  std::string_view Get(std::string_view key) override {
    MDB_val name = ToVal(key);
    MDB_val value;
    Expect(mdb_get(txn_, table_, &name, &value));
    return FromVal(value);
  }

  void Scan(const Row& row) override {
    MDB_cursor* cursor = nullptr;
    Expect(mdb_cursor_open(txn_, table_, &cursor));
    MDB_val key;
    MDB_val value;
    int result = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    for (; result == 0;
         result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
      row(FromVal(key), FromVal(value));
    }
    CHECK_EQ(result, MDB_NOTFOUND) << mdb_strerror(result);
    mdb_cursor_close(cursor);
  }

 private:
  MDB_txn* txn_ = nullptr;
  const MDB_dbi table_;
};

class LmdbEngine : public Engine {
 public:
  explicit LmdbEngine(const EngineOptions& options) : options_(options) {
    Open();
  }
  ~LmdbEngine() override { mdb_env_close(env_); }

  void Commit(std::span<const Change> changes) override;

  void Finish() override { Expect(mdb_env_sync(env_, 1)); }

  std::unique_ptr<Reader> NewReader() override {
    return std::make_unique<LmdbReader>(env_, table_);
  }

  // LMDB's way: a compact copy, which takes the file's place while it is
  // closed.
  bool Shrink() override {
    const std::string file = options_.directory + "/data.mdb";
    const std::string copy = file + ".copy";
    const int fd = open(copy.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_GE(fd, 0);
    Expect(mdb_env_copyfd2(env_, fd, MDB_CP_COMPACT));
    CHECK_EQ(fsync(fd), 0);
    close(fd);
    mdb_env_close(env_);
    CHECK_EQ(rename(copy.c_str(), file.c_str()), 0);
    Open();
    return true;
  }

 private:
  void Open() {
    Expect(mdb_env_create(&env_));
    Expect(mdb_env_set_mapsize(env_, kMapBytes));
    Expect(mdb_env_set_maxreaders(env_, kReaders));
    // A thread may have several readers; pages are used one by one, as in ours.
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD;
    if (!options_.sync_commits) flags |= MDB_NOSYNC;
    Expect(mdb_env_open(env_, options_.directory.c_str(), flags, 0600));
    MDB_txn* txn = nullptr;
    Expect(mdb_txn_begin(env_, nullptr, 0, &txn));
    Expect(mdb_dbi_open(txn, nullptr, 0, &table_));
    FindLast(txn);
    Expect(mdb_txn_commit(txn));
  }

  void FindLast(MDB_txn* txn) {
    MDB_cursor* cursor = nullptr;
    Expect(mdb_cursor_open(txn, table_, &cursor));
    MDB_val key;
    MDB_val value;
    if (mdb_cursor_get(cursor, &key, &value, MDB_LAST) == 0) {
      last_ = FromVal(key);
    }
    mdb_cursor_close(cursor);
  }

  const EngineOptions options_;
  MDB_env* env_ = nullptr;
  MDB_dbi table_ = 0;
  std::string last_;
};

void LmdbEngine::Commit(std::span<const Change> changes) {
  MDB_txn* txn = nullptr;
  Expect(mdb_txn_begin(env_, nullptr, 0, &txn));
  for (const Change& change : changes) {
    MDB_val key = ToVal(change.key);
    MDB_val value = ToVal(change.value);
    if (change.erase) {
      Expect(mdb_del(txn, table_, &key, nullptr));
      continue;
    }
    // Filled pages stay full when the key is known to be the last: LMDB's
    // own way for such keys.
    const bool append = change.key > last_;
    Expect(mdb_put(txn, table_, &key, &value, append ? MDB_APPEND : 0));
    if (append) last_ = change.key;
  }
  Expect(mdb_txn_commit(txn));
}

}  // namespace

std::unique_ptr<Engine> OpenLmdb(const EngineOptions& options) {
  return std::make_unique<LmdbEngine>(options);
}

}  // namespace strata::bench
