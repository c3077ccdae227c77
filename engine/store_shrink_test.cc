// The store makes its file shorter: on request, unasked, beside readers.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fake_env.h"
#include "base/sim_loop.h"
#include "engine/btree_backend.h"
#include "engine/store.h"

namespace strata {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kKeys = 3000;

class StoreShrinkTest : public testing::Test {
 protected:
  StoreShrinkTest() { CHECK_OK(env_.MakeDirs("d")); }
  ~StoreShrinkTest() override {
    if (store_ == nullptr) return;
    world_.RunFor(seconds(1));
    CHECK_OK(store_->Close());
  }

  void Open(const ShrinkOptions& shrink) {
    BtreeOptions btree;
    btree.initial_mmap_bytes = 0;
    auto backend = OpenBtreeBackend(&env_, "d/db", btree, Logger::Null());
    CHECK_OK(backend);
    StoreOptions options;
    options.flusher = flusher_.get();
    options.shrink = shrink;
    auto store = Store::Open(std::move(*backend), options, Logger::Null());
    CHECK_OK(store);
    store_ = std::move(*store);
  }

  void Put(int number) {
    const std::string key = "key" + std::to_string(number);
    CHECK_OK(store_->Put({.key = key, .value = std::string(300, 'v')}));
    store_->EndEntry(LogIndex(++index_), Term(1));
  }

  // Every key twice; the first time is compacted away.
  void FillAndCompact() {
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < kKeys; ++i) Put(i);
      world_.RunFor(seconds(1));
    }
    Compact();
  }
  void Compact() {
    bool compacted = false;
    CHECK_OK(store_->Compact(store_->revision(), [&] { compacted = true; }));
    store_->EndEntry(LogIndex(++index_), Term(1));
    CHECK(world_.RunUntil([&] { return compacted; }, seconds(60)));
  }

  uint64_t FileBytes() {
    auto file = env_.Open("d/db", OpenMode::kReadOnly);
    CHECK_OK(file);
    return *(*file)->Size();
  }

  void Shrink(Store::ShrinkWatch watch = nullptr) {
    result_.reset();
    store_->Shrink(std::move(watch), [this](const auto& r) { result_ = r; });
  }

  RangeResult ReadAll() {
    auto result = store_->Range({.range = {"key", "kez"}});
    CHECK_OK(result);
    return std::move(*result);
  }

  FakeEnv env_;
  SimWorld world_;
  std::unique_ptr<Loop> flusher_ = world_.NewLoop("flusher");
  std::unique_ptr<Store> store_;
  uint64_t index_ = 0;
  std::optional<StatusOr<ShrinkProgress>> result_;
};

const ShrinkOptions kOnlyOnRequest = {.free_fraction = 1,
                                      .step_bytes = 64 << 10};

TEST_F(StoreShrinkTest, OnRequestWhileWritesGoOn) {
  Open(kOnlyOnRequest);
  FillAndCompact();
  const uint64_t before = FileBytes();
  int steps = 0;
  uint64_t written = 0;
  Shrink([&](const ShrinkProgress& progress) {
    EXPECT_GE(progress.written_bytes, written);
    written = progress.written_bytes;
    ++steps;
    return true;
  });
  int next = kKeys;
  while (!result_) {
    Put(next++);
    world_.RunFor(milliseconds(3));
  }
  CHECK_OK(*result_);
  EXPECT_TRUE((**result_).done);
  EXPECT_EQ((**result_).file_bytes, FileBytes());
  EXPECT_LT(FileBytes(), before * 2 / 3);
  EXPECT_GT(steps, 5);
  EXPECT_EQ(ReadAll().count, next);
}

TEST_F(StoreShrinkTest, UnaskedOnceMuchIsFree) {
  Open({.free_fraction = 0.3, .free_bytes = 500000});
  for (int i = 0; i < kKeys; ++i) Put(i);
  world_.RunFor(seconds(1));
  const uint64_t full = FileBytes();
  for (int i = 0; i < kKeys; ++i) Put(i % 10);
  world_.RunFor(seconds(5));
  EXPECT_GE(FileBytes(), full);
  EXPECT_EQ(store_->DeleteRange({.range = {"key", "kez"}})->deleted, kKeys);
  store_->EndEntry(LogIndex(++index_), Term(1));
  Compact();
  world_.RunFor(seconds(5));
  EXPECT_LT(FileBytes(), full / 4);
}

TEST_F(StoreShrinkTest, NeverUnaskedIfNotWanted) {
  Open(kOnlyOnRequest);
  FillAndCompact();
  const uint64_t full = FileBytes();
  world_.RunFor(seconds(200));
  EXPECT_EQ(FileBytes(), full);
}

TEST_F(StoreShrinkTest, AReaderInTheWayIsNamed) {
  Open(kOnlyOnRequest);
  for (int i = 0; i < kKeys; ++i) Put(i);
  world_.RunFor(seconds(1));
  RangeResult reader = ReadAll();
  FillAndCompact();
  const Time began = world_.Now();
  Shrink();
  ASSERT_TRUE(
      world_.RunUntil([&] { return result_.has_value(); }, seconds(60)));
  EXPECT_GE(world_.Now() - began, seconds(30));
  const std::vector<OldReader> readers = store_->OldReaders(seconds(30));
  ASSERT_EQ(readers.size(), 1u);
  EXPECT_GT(readers[0].pinned_bytes, 500000u);
  EXPECT_TRUE(store_->OldReaders(seconds(100)).empty());
  EXPECT_EQ(result_->status().code(), Code::kAborted);
  EXPECT_NE(result_->status().message().find(
                "state " + std::to_string(readers[0].id) + " "),
            std::string::npos)
      << result_->status();
  // The store goes on, and so does the shrinking once the reader is gone.
  Put(1);
  EXPECT_EQ(reader.kvs.size(), size_t{kKeys});
  reader = {};
  Shrink();
  ASSERT_TRUE(
      world_.RunUntil([&] { return result_.has_value(); }, seconds(29)));
  EXPECT_TRUE(result_->ok()) << result_->status();
}

TEST_F(StoreShrinkTest, CalledOff) {
  Open(kOnlyOnRequest);
  FillAndCompact();
  int steps = 0;
  Shrink([&](const ShrinkProgress&) { return ++steps < 3; });
  ASSERT_TRUE(world_.RunUntil([&] { return result_.has_value(); }, seconds(9)));
  EXPECT_EQ(result_->status().code(), Code::kCanceled);
  EXPECT_EQ(steps, 3);
  Shrink();
  ASSERT_TRUE(world_.RunUntil([&] { return result_.has_value(); }, seconds(9)));
  EXPECT_TRUE(result_->ok());
}

// Two requests share the steps; who calls off leaves the other alone.
TEST_F(StoreShrinkTest, TwoRequests) {
  Open(kOnlyOnRequest);
  FillAndCompact();
  std::optional<Status> other;
  store_->Shrink([](const ShrinkProgress&) { return false; },
                 [&](const auto& r) { other = r.status(); });
  Shrink();
  ASSERT_TRUE(world_.RunUntil([&] { return result_.has_value(); }, seconds(9)));
  EXPECT_TRUE(result_->ok());
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other->code(), Code::kCanceled);
}

TEST_F(StoreShrinkTest, ClosedMeanwhile) {
  Open(kOnlyOnRequest);
  FillAndCompact();
  Shrink();
  world_.RunFor(milliseconds(5));
  ASSERT_FALSE(result_.has_value());
  CHECK_OK(store_->Close());
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status().code(), Code::kUnavailable);
  store_.reset();
}

}  // namespace
}  // namespace strata
