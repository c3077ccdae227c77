#include "engine/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "engine/btree_backend.h"
#include "engine/key_value.h"
#include "engine/mem_backend.h"
#include "engine/store_testing.h"

namespace strata {
namespace {

std::unique_ptr<Store> OpenStore(Loop* flusher, Level level) {
  StoreOptions options;
  options.level = level;
  options.flusher = flusher;
  options.batch_interval = std::chrono::milliseconds(1);
  auto store = Store::Open(NewMemBackend(), options, Logger::Null());
  CHECK_OK(store.status());
  CHECK_OK((*store)->GrantLease({.id = LeaseId(5), .ttl_seconds = 60}));
  (*store)->EndEntry(LogIndex(1), Term(1));
  return std::move(*store);
}

std::string RunStory(const std::string& path, Level level) {
  auto flusher = NewThreadedLoop("flusher");
  auto store = OpenStore(flusher.get(), level);
  testing::StoreScript script(store.get());
  const std::string difference =
      RunTranscript(path, [&script](const TranscriptCommand& command) {
        return script.Run(command);
      });
  CHECK_OK(store->Close());
  return difference;
}

TEST(StoreTest, Transcript) {
  EXPECT_EQ(RunStory("engine/testdata/store.txt", Level::V3_4()), "");
}

TEST(StoreTest, LeaseTranscript) {
  EXPECT_EQ(RunStory("engine/testdata/lease.txt", Level::V3_6()), "");
}

// tests/conformance:hash_test runs the same file against a real etcd.
TEST(StoreTest, HashTranscript) {
  EXPECT_EQ(RunStory("engine/testdata/hash_3.4.txt", Level::V3_4()), "");
}

TEST(StoreTest, SortedTranscript) {
  EXPECT_EQ(RunStory("engine/testdata/sorted.txt", Level::V3_5()), "");
}

// Over more keys than one step looks at.
TEST(StoreTest, TheBestOfManyAreTheFirstOfAllSorted) {
  auto flusher = NewThreadedLoop("flusher");
  auto store = OpenStore(flusher.get(), Level::V3_5());
  for (uint64_t i = 1; i <= 7000; ++i) {
    const std::string key = "k" + std::to_string(i * 7919 % 3500);
    const std::string value = "v" + std::to_string(i * 31 % 97);
    CHECK_OK(store->Put({.key = key, .value = value}));
    store->EndEntry(LogIndex(i), Term(1));
  }
  for (const SortTarget target :
       {SortTarget::kKey, SortTarget::kVersion, SortTarget::kCreate,
        SortTarget::kMod, SortTarget::kValue}) {
    for (const SortOrder order : {SortOrder::kAscend, SortOrder::kDescend}) {
      RangeRequest request{
          .range = {"k", "l"}, .sort_order = order, .sort_target = target};
      const auto all = store->Range(request);
      ASSERT_EQ(all->kvs.size(), 3500u);
      EXPECT_FALSE(all->more);
      for (const int64_t limit : {1, 10, 1001, 3499, 3500, 9999}) {
        request.limit = limit;
        const auto best = store->Range(request);
        const size_t size = std::min<size_t>(3500, limit);
        ASSERT_EQ(best->kvs.size(), size);
        EXPECT_EQ(best->more, limit < 3500);
        EXPECT_EQ(best->count, 3500);
        EXPECT_TRUE(
            std::equal(best->kvs.begin(), best->kvs.end(), all->kvs.begin()));
      }
    }
  }
  CHECK_OK(store->Close());
}

// A backend in memory that outlives its store, counts writes and can be broken.
class Disk {
 public:
  struct Faults {
    std::mutex mutex;
    Status write;  // what the next writes answer
    uint64_t writes = 0;
    uint64_t most_changes = 0;  // in one of them
  };

  std::unique_ptr<Backend> Open() {
    return std::make_unique<Lent>(backend_, &faults_);
  }
  Backend* backend() { return backend_.get(); }
  void Break(const Status& status) {
    std::lock_guard<std::mutex> lock(faults_.mutex);
    faults_.write = status;
  }
  uint64_t writes() {
    std::lock_guard<std::mutex> lock(faults_.mutex);
    return faults_.writes;
  }
  uint64_t most_changes() {
    std::lock_guard<std::mutex> lock(faults_.mutex);
    return faults_.most_changes;
  }

 private:
  class Lent : public Backend {
   public:
    Lent(std::shared_ptr<Backend> backend, Faults* faults)
        : backend_(std::move(backend)), faults_(faults) {}
    StatusOr<std::shared_ptr<const View>> NewView() override {
      return backend_->NewView();
    }
    Status Write(const Batch& batch) override {
      std::lock_guard<std::mutex> lock(faults_->mutex);
      RETURN_IF_ERROR(faults_->write);
      ++faults_->writes;
      faults_->most_changes =
          std::max<uint64_t>(faults_->most_changes, batch.changes().size());
      return backend_->Write(batch);
    }
    Status Sync() override { return backend_->Sync(); }
    Status Check(
        const std::function<void(const std::string&)>& report) override {
      return backend_->Check(report);
    }
    Status WriteSnapshot(const View& view, const Sink& sink) override {
      return backend_->WriteSnapshot(view, sink);
    }
    BackendSizes Sizes() const override { return backend_->Sizes(); }

   private:
    const std::shared_ptr<Backend> backend_;
    Faults* const faults_;
  };

  std::shared_ptr<Backend> backend_ = NewMemBackend();
  Faults faults_;
};

class StoreDiskTest : public ::testing::Test {
 protected:
  void Open() {
    flusher_ = NewThreadedLoop("flusher");
    options_.flusher = flusher_.get();
    auto store = Store::Open(disk_.Open(), options_, Logger::Null());
    CHECK_OK(store);
    store_ = std::move(*store);
    index_ = store_->flushed().value();
  }
  // As a crash: nothing is written any more.
  void Drop() {
    store_.reset();
    flusher_.reset();
  }
  void TearDown() override { Drop(); }

  void Put(const std::string& key, const std::string& value) {
    CHECK_OK(store_->Put({.key = key, .value = value}));
    EndEntry();
  }
  void Delete(const std::string& key) {
    CHECK_OK(store_->DeleteRange({.range = {key, {}}}));
    EndEntry();
  }
  void EndEntry() { store_->EndEntry(LogIndex(++index_), Term(3)); }
  std::string Get(const std::string& key, int64_t revision = 0) {
    const auto result =
        store_->Range({.range = {key, {}}, .revision = Revision(revision)});
    return result.ok() ? testing::ToString(*result) : result.ToString();
  }
  Status FlushAndWait() {
    std::promise<Status> done;
    store_->Flush([&done](const Status& status) { done.set_value(status); });
    return done.get_future().get();
  }
  void CompactAndWait(int64_t revision) {
    std::promise<void> done;
    CHECK_OK(
        store_->Compact(Revision(revision), [&done] { done.set_value(); }));
    EndEntry();
    done.get_future().wait();
  }
  // The keys of the key table, as "2.0 3.0t".
  std::string Changes() {
    std::string text;
    auto view = disk_.backend()->NewView();
    auto iterator = (*view)->NewIterator(Table::kKey);
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      ChangeId id;
      bool tombstone;
      CHECK(ParseRevisionKey(iterator->key(), &id, &tombstone));
      text += (text.empty() ? "" : " ") + std::to_string(id.main.value()) +
              "." + std::to_string(id.sub) + (tombstone ? "t" : "");
    }
    return text;
  }
  std::string Meta(const std::string& name) {
    auto view = disk_.backend()->NewView();
    auto value = (*view)->Get(Table::kMeta, name);
    CHECK_OK(value);
    return value->has_value() ? ToHex(**value) : "none";
  }

  Disk disk_;
  StoreOptions options_;
  std::unique_ptr<Loop> flusher_;
  std::unique_ptr<Store> store_;
  uint64_t index_ = 0;
};

TEST_F(StoreDiskTest, WhatIsFlushedComesBackWithItsLogIndex) {
  options_.batch_interval = std::chrono::hours(1);
  Open();
  Put("a", "1");
  Put("a", "2");
  store_->PutRecord(Table::kMembers, "m", "x");
  EndEntry();
  ASSERT_TRUE(FlushAndWait().ok());
  EXPECT_EQ(store_->flushed(), LogIndex(3));
  EXPECT_EQ(store_->tail_bytes(), 0u);
  Put("a", "lost");
  EXPECT_EQ(store_->applied(), LogIndex(4));
  EXPECT_GT(store_->tail_bytes(), 0u);
  Drop();
  EXPECT_EQ(Changes(), "2.0 3.0");
  EXPECT_EQ(Meta("consistent_index"), "0000000000000003");
  EXPECT_EQ(Meta("term"), "0000000000000003");
  Open();
  EXPECT_EQ(store_->applied(), LogIndex(3));
  EXPECT_EQ(Get("a"), "rev=3 count=1\n  a=2 create=2 mod=3 version=2");
  EXPECT_EQ(**store_->Get(Table::kMembers, "m"), "x");
}

TEST_F(StoreDiskTest, NoTermInTheBackendAtLevel34) {
  options_.level = Level::V3_4();
  Open();
  Put("a", "1");
  ASSERT_TRUE(store_->Close().ok());
  EXPECT_EQ(Meta("consistent_index"), "0000000000000001");
  EXPECT_EQ(Meta("term"), "none");
}

TEST_F(StoreDiskTest, ARunIsNotCutInsideAnEntry) {
  options_.batch_changes = 1;
  options_.batch_interval = std::chrono::nanoseconds(1);
  Open();
  for (int entry = 0; entry < 50; ++entry) {
    // Three revisions and a record that must come together.
    for (int i = 0; i < 3; ++i) {
      CHECK_OK(store_->Put({.key = "k" + std::to_string(i), .value = "v"}));
      std::this_thread::yield();
    }
    store_->PutRecord(Table::kMeta, "entry", std::to_string(entry));
    EndEntry();
    auto view = disk_.backend()->NewView();
    const auto index = (*view)->Get(Table::kMeta, "consistent_index");
    const auto record = (*view)->Get(Table::kMeta, "entry");
    if (!index->has_value()) continue;
    const uint64_t flushed = LoadBig64((*index)->data());
    ASSERT_EQ(**record, std::to_string(flushed - 1));
    // The newest change is the entry's last: 3 revisions an entry, from 2 on.
    const RevisionKey last({Revision(1 + 3 * static_cast<int64_t>(flushed)), 0},
                           false);
    const RevisionKey next({Revision(2 + 3 * static_cast<int64_t>(flushed)), 0},
                           false);
    ASSERT_TRUE((*view)->Get(Table::kKey, last.view())->has_value());
    ASSERT_FALSE((*view)->Get(Table::kKey, next.view())->has_value());
  }
}

TEST_F(StoreDiskTest, AFullDiskKeepsTheTailAndRecovers) {
  options_.batch_changes = 2;
  Open();
  disk_.Break(ResourceExhaustedError("no space left on device"));
  for (int i = 0; i < 20; ++i) Put("k" + std::to_string(i), "v");
  EXPECT_EQ(Get("k7"), "rev=21 count=1\n  k7=v create=9 mod=9 version=1");
  EXPECT_EQ(store_->flushed(), LogIndex(0));
  EXPECT_FALSE(
      store_->WriteSnapshot([](std::string_view) { return Status::Ok(); })
          .ok());
  disk_.Break(Status::Ok());
  ASSERT_TRUE(FlushAndWait().ok());
  EXPECT_EQ(store_->flushed(), LogIndex(20));
  // Full runs were kept apart: 2 changes, the index and the term.
  EXPECT_LE(disk_.most_changes(), 4u);
  Drop();
  Open();
  EXPECT_EQ(Get("k7"), "rev=21 count=1\n  k7=v create=9 mod=9 version=1");
}

TEST_F(StoreDiskTest, ABrokenDiskIsFatalOnce) {
  std::atomic<int> fatal{0};
  options_.on_fatal = [&fatal](const Status&) { ++fatal; };
  Open();
  disk_.Break(DataLossError("sync failed"));
  Put("a", "1");
  EXPECT_EQ(FlushAndWait(), DataLossError("sync failed"));
  Put("b", "1");
  EXPECT_EQ(FlushAndWait(), DataLossError("sync failed"));
  EXPECT_EQ(store_->Close(), DataLossError("sync failed"));
  EXPECT_EQ(fatal.load(), 1);
}

TEST_F(StoreDiskTest, CompactionErasesWhatNobodyCanRead) {
  options_.level = Level::V3_4();
  Open();
  Put("a", "1");
  Put("a", "2");
  Put("b", "1");
  Delete("b");
  Put("a", "3");
  CompactAndWait(5);
  EXPECT_EQ(Changes(), "3.0 6.0");
  EXPECT_EQ(Meta("scheduledCompactRev"),
            "0000000000000005"
            "5f"
            "0000000000000000");
  EXPECT_EQ(Meta("finishedCompactRev"), Meta("scheduledCompactRev"));
  EXPECT_EQ(Get("a", 5), "rev=6 count=1\n  a=2 create=2 mod=3 version=2");
}

TEST_F(StoreDiskTest, ATombstoneAtTheCompactionStaysFrom35On) {
  Open();
  Put("b", "1");
  Delete("b");
  Put("a", "3");
  CompactAndWait(3);
  EXPECT_EQ(Changes(), "3.0t 4.0");
  Drop();
  Open();  // the tombstone is the key's only change
  CompactAndWait(4);
  EXPECT_EQ(Changes(), "4.0");
}

TEST_F(StoreDiskTest, ACompactionThatACrashStoppedGoesOn) {
  options_.level = Level::V3_4();
  options_.batch_interval = std::chrono::hours(1);
  Open();
  for (int i = 0; i < 3; ++i) Put("a", std::to_string(i));
  Delete("a");
  ASSERT_TRUE(FlushAndWait().ok());
  // As a crash between the watermark and the end leaves it: the puts are
  // erased, the tombstone, which now follows nothing, is not.
  Drop();
  Batch batch;
  const RevisionKey watermark({Revision(5), 0}, false);
  batch.Put(Table::kMeta, "scheduledCompactRev", watermark.view());
  for (int64_t main = 2; main < 5; ++main) {
    batch.Erase(Table::kKey, RevisionKey({Revision(main), 0}, false).view());
  }
  CHECK_OK(disk_.backend()->Write(batch));
  ASSERT_EQ(Changes(), "5.0t");
  Open();
  EXPECT_EQ(store_->revision(), Revision(5));
  EXPECT_EQ(store_->compact_revision(), Revision(5));
  while (Meta("finishedCompactRev") == "none") std::this_thread::yield();
  EXPECT_EQ(Changes(), "");
  Drop();
  Open();  // the revision does not go back though no change is left
  EXPECT_EQ(store_->revision(), Revision(5));
  EXPECT_EQ(Get("a", 4),
            "OutOfRange: etcdserver: mvcc: required revision has been "
            "compacted");
}

TEST_F(StoreDiskTest, DamageInTheTablesIsNamed) {
  Batch batch;
  batch.Put(Table::kKey, "short", "x");
  CHECK_OK(disk_.backend()->Write(batch));
  auto loop = NewThreadedLoop("flusher");
  options_.flusher = loop.get();
  EXPECT_EQ(
      Store::Open(disk_.Open(), options_, Logger::Null()).status(),
      DataLossError("the key table has a key that is no revision: short"));
}

TEST(StoreSnapshotTest, HasTheTailToo) {
  const std::string directory = ::testing::TempDir() + "/store_snapshot";
  CHECK_OK(Env::Posix()->RemoveAll(directory));
  CHECK_OK(Env::Posix()->MakeDirs(directory));
  const auto open = [&directory](const std::string& name, Loop* flusher) {
    BtreeOptions btree;
    btree.fsync = false;
    auto backend = OpenBtreeBackend(Env::Posix(), directory + "/" + name, btree,
                                    Logger::Null());
    CHECK_OK(backend);
    StoreOptions options;
    options.flusher = flusher;
    auto store = Store::Open(std::move(*backend), options, Logger::Null());
    CHECK_OK(store);
    return std::move(*store);
  };
  auto flusher = NewThreadedLoop("flusher");
  auto store = open("db", flusher.get());
  for (uint64_t i = 1; i <= 500; ++i) {
    CHECK_OK(store->Put({.key = "k" + std::to_string(i % 90), .value = "v"}));
    store->EndEntry(LogIndex(i), Term(1));
  }
  std::string image;
  ASSERT_TRUE(store
                  ->WriteSnapshot([&image](std::string_view piece) {
                    image.append(piece);
                    return Status::Ok();
                  })
                  .ok());
  CHECK_OK(WriteFileAtomically(Env::Posix(), directory + "/copy", image));
  auto copy = open("copy", flusher.get());
  EXPECT_EQ(copy->revision(), store->revision());
  EXPECT_EQ(copy->applied(), LogIndex(500));
  EXPECT_EQ(copy->HashKv(Revision(0))->hash, store->HashKv(Revision(0))->hash);
  CHECK_OK(copy->Close());
  CHECK_OK(store->Close());
}

}  // namespace
}  // namespace strata
