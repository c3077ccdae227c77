#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/random.h"
#include "engine/btree_backend.h"
#include "engine/key_value.h"
#include "engine/mem_backend.h"
#include "engine/store.h"

// Readers on threads of their own while one thread writes, the flusher moves
// runs into the backend and compactions follow closely behind. Run it with
// --config=tsan too.
namespace strata {
namespace {

constexpr int kKeys = 3000;  // more than one chunk of a range
constexpr int64_t kWrites = 4000;
const std::string kAll("\0", 1);

std::string Key(int i) { return "/key/" + std::to_string(100000 + i); }

// A value says which key and revision it was written at.
std::string Value(std::string_view key, Revision revision) {
  return std::string(key) + "@" + std::to_string(revision.value());
}

// Keeps a promise to every reader: there are kKeys keys or a hundred fewer, and
// each value matches its key and revision.
class Writer {
 public:
  explicit Writer(Store* store) : store_(store), random_(7) {
    for (int i = 0; i < kKeys; ++i) Put(i);
    EndEntry();
  }

  void Step() {
    if (random_.OneIn(20)) return Replace();
    Put(static_cast<int>(random_.Below(kKeys)));
    if (random_.OneIn(3)) EndEntry();
    if (random_.OneIn(200)) Compact();
  }

  void EndEntry() { store_->EndEntry(LogIndex(++index_), Term(1)); }

 private:
  void Put(int i) {
    const std::string key = Key(i);
    const std::string value = Value(key, store_->revision() + 1);
    CHECK_OK(store_->Put({.key = key, .value = value}));
  }

  // Deletes a hundred keys at once and puts them again at once.
  void Replace() {
    const int first = static_cast<int>(random_.Below(kKeys - 100));
    const std::string from = Key(first), to = Key(first + 100);
    const auto erased = store_->DeleteRange({.range = {from, to}});
    CHECK_OK(erased.status());
    TxnRequest txn;
    std::vector<std::string> keys, values;
    for (int i = 0; i < 100; ++i) {
      keys.push_back(Key(first + i));
      values.push_back(Value(keys.back(), erased->revision + 1));
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      txn.success.emplace_back(PutRequest{.key = keys[i], .value = values[i]});
    }
    CHECK_OK(store_->Txn(txn));
    EndEntry();
  }

  void Compact() {
    const Revision at = store_->revision() - 20;
    if (at > store_->compact_revision()) {
      CHECK_OK(store_->Compact(at, nullptr));
    }
    EndEntry();
  }

  Store* const store_;
  Random random_;
  uint64_t index_ = 0;
};

void CheckRange(const RangeResult& result) {
  CHECK_EQ(static_cast<size_t>(result.count), result.kvs.size());
  CHECK(result.count == kKeys || result.count == kKeys - 100) << result.count;
  std::string previous;
  for (const std::string_view bytes : result.kvs) {
    const auto kv = DecodeKeyValue(bytes);
    CHECK_OK(kv.status());
    CHECK_EQ(kv->value, Value(kv->key, kv->mod_revision));
    CHECK_LE(kv->mod_revision, result.revision);
    CHECK(previous < kv->key);
    previous = kv->key;
  }
}

// The same revision twice gives the same, or it was compacted in between.
void ReadTwice(const Store& store, Random* random) {
  RangeRequest request{.range = {kAll, kAll}};
  const auto first = store.Range(request);
  if (!first.ok()) {  // overtaken by a compaction
    CHECK(first.status().code() == Code::kOutOfRange);
    return;
  }
  CheckRange(*first);
  request.revision = first->revision - static_cast<int64_t>(random->Below(2));
  if (random->OneIn(2)) request.sort_order = SortOrder::kDescend;
  const auto second = store.Range(request);
  if (!second.ok()) {
    CHECK(second.status().code() == Code::kOutOfRange);
    return;
  }
  if (request.revision < first->revision) return;
  CHECK_EQ(second->kvs.size(), first->kvs.size());
  for (size_t i = 0; i < first->kvs.size(); ++i) {
    const size_t other = request.sort_order == SortOrder::kDescend
                             ? first->kvs.size() - 1 - i
                             : i;
    CHECK(first->kvs[i] == second->kvs[other]);
  }
}

void ReadOne(const Store& store, Random* random) {
  const std::string key = Key(static_cast<int>(random->Below(kKeys)));
  const auto result = store.Range({.range = {key, {}}});
  CHECK_OK(result.status());
  for (const std::string_view bytes : result->kvs) {
    const auto kv = DecodeKeyValue(bytes);
    CHECK_OK(kv.status());
    CHECK_EQ(kv->value, Value(key, kv->mod_revision));
  }
}

void CountAll(const Store& store) {
  const auto result = store.Range({.range = {kAll, kAll}, .count_only = true});
  if (!result.ok()) {
    CHECK(result.status().code() == Code::kOutOfRange);
    return;
  }
  CHECK(result->count == kKeys || result->count == kKeys - 100);
}

// The hash at a revision is the same whatever is flushed and compacted, as long
// as the watermark is.
void HashTwice(const Store& store) {
  const auto first = store.HashKv(Revision(0));
  if (!first.ok()) return;  // compacted meanwhile
  const auto second = store.HashKv(first->hash_revision);
  if (!second.ok() || second->compact_revision != first->compact_revision) {
    return;
  }
  CHECK_EQ(first->hash, second->hash);
}

void ReadWhileWriting(std::unique_ptr<Backend> backend) {
  auto flusher = NewThreadedLoop("flusher");
  StoreOptions options;
  options.flusher = flusher.get();
  options.batch_interval = std::chrono::milliseconds(1);
  options.batch_changes = 50;
  auto opened = Store::Open(std::move(backend), options, Logger::Null());
  ASSERT_TRUE(opened.ok());
  std::unique_ptr<Store> store = std::move(*opened);
  Writer writer(store.get());
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    readers.emplace_back([&, seed] {
      Random random(seed);
      while (!stop.load()) {
        ReadTwice(*store, &random);
        for (int i = 0; i < 100; ++i) ReadOne(*store, &random);
        CountAll(*store);
        if (seed == 1) HashTwice(*store);
        store->tail_bytes();
        reads.fetch_add(1);
      }
    });
  }
  for (int64_t i = 0; i < kWrites || reads.load() < 20; ++i) writer.Step();
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  writer.EndEntry();
  EXPECT_TRUE(store->Close().ok());
  EXPECT_EQ(store->flushed(), store->applied());
}

TEST(StoreConcurrencyTest, OverMem) { ReadWhileWriting(NewMemBackend()); }

TEST(StoreConcurrencyTest, OverBtree) {
  const std::string directory = testing::TempDir() + "/store_concurrency";
  CHECK_OK(Env::Posix()->RemoveAll(directory));
  CHECK_OK(Env::Posix()->MakeDirs(directory));
  BtreeOptions options;
  options.fsync = false;
  auto backend = OpenBtreeBackend(Env::Posix(), directory + "/db", options,
                                  Logger::Null());
  CHECK_OK(backend.status());
  ReadWhileWriting(std::move(*backend));
}

}  // namespace
}  // namespace strata
