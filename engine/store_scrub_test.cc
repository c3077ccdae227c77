// The scrub of a store's backend: its pace, what it finds, and what damage
// means for reads and writes.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/fake_env.h"
#include "base/sim_loop.h"
#include "engine/btree_backend.h"
#include "engine/mem_backend.h"
#include "engine/store.h"

namespace strata {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr char kPath[] = "d/db";
constexpr int kKeys = 1000;

class Errors : public Logger {
 public:
  bool Enabled(LogLevel level) const override {
    return level == LogLevel::kError;
  }
  void Log(LogLevel, std::string_view message,
           std::initializer_list<LogField> fields) override {
    lines.push_back(std::string(message) + ": " +
                    std::get<std::string>(fields.begin()->value));
  }

  std::vector<std::string> lines;
};

class StoreScrubTest : public testing::Test {
 protected:
  StoreScrubTest() : flusher_(world_.NewLoop("flusher")) {
    CHECK_OK(env_.MakeDirs("d"));
  }
  ~StoreScrubTest() override { Close(); }

  void Open(uint64_t bytes_per_second) {
    BtreeOptions options;
    options.initial_mmap_bytes = 1 << 20;
    auto backend = OpenBtreeBackend(&env_, kPath, options, &log_);
    CHECK_OK(backend);
    OpenOn(std::move(*backend), bytes_per_second);
  }

  void OpenOn(std::unique_ptr<Backend> backend, uint64_t bytes_per_second) {
    StoreOptions options;
    options.flusher = flusher_.get();
    options.scrub = {.bytes_per_second = bytes_per_second, .pause = hours(5)};
    options.on_fatal = [this](const Status& status) { fatal_ = status; };
    auto store = Store::Open(std::move(backend), std::move(options), &log_);
    CHECK_OK(store);
    store_ = std::move(*store);
  }

  void Close() {
    if (store_ == nullptr) return;
    store_->Close().IgnoreError();  // the backend may be damaged
    store_.reset();
  }

  void Put(int i, char letter = 'v') {
    const std::string key = "key" + std::to_string(i) + "$";
    CHECK_OK(store_->Put({.key = key, .value = std::string(300, letter)}));
    store_->EndEntry(LogIndex(++index_), Term(1));
  }

  void Fill() {
    for (int i = 0; i < kKeys; ++i) Put(i);
    world_.RunFor(seconds(1));  // into the backend
    EXPECT_EQ(store_->flushed(), LogIndex(index_));
  }

  Status Get(int i) {
    const std::string key = "key" + std::to_string(i) + "$";
    return store_->Range({.range = {key, {}}}).status();
  }

  // Flips a bit of the key's value, in the newest page of it.
  uint64_t Rot(int i) {
    auto file = ReadFile(&env_, kPath, 64 << 20);
    CHECK_OK(file);
    const size_t at = file->rfind("key" + std::to_string(i) + "$");
    CHECK(at != std::string::npos);
    env_.FlipBit(kPath, at + 100, 4);
    return at;
  }

  FakeEnv env_;
  SimWorld world_;
  std::unique_ptr<SimLoop> flusher_;
  Errors log_;
  Status fatal_;
  std::unique_ptr<Store> store_;
  uint64_t index_ = 0;
};

TEST_F(StoreScrubTest, GoesThroughTheFileAtItsPace) {
  Open(0);
  Fill();
  const uint64_t bytes = store_->Sizes().in_use_bytes;
  world_.RunFor(hours(1));
  EXPECT_EQ(store_->scrub_stats().bytes, 0u);
  Close();
  const uint64_t rate = bytes / 20;
  Open(rate);
  for (uint64_t second = 1; second < 15; ++second) {
    world_.RunFor(seconds(1));
    const ScrubStats stats = store_->scrub_stats();
    EXPECT_LE(stats.bytes, (second + 1) * rate);
    EXPECT_EQ(stats.passes, 0u);
  }
  EXPECT_GT(store_->scrub_stats().bytes, bytes / 4);
  world_.RunFor(seconds(120));
  EXPECT_EQ(store_->scrub_stats().passes, 1u);
  const uint64_t pass = store_->scrub_stats().bytes;
  EXPECT_LE(pass, bytes);
  EXPECT_GT(pass, bytes * 9 / 10);
  world_.RunFor(hours(4));
  EXPECT_EQ(store_->scrub_stats().bytes, pass) << "the pause";
  world_.RunFor(hours(2));
  EXPECT_EQ(store_->scrub_stats().passes, 2u);
  EXPECT_EQ(store_->scrub_stats().bytes, 2 * pass);
  EXPECT_EQ(store_->scrub_stats().faults, 0u);
}

TEST_F(StoreScrubTest, DamageIsLoggedCountedAndNotRead) {
  Open(1 << 20);
  Fill();
  const uint64_t at = Rot(500);
  EXPECT_TRUE(Get(500).ok()) << "found sound when it was written";
  world_.RunFor(hours(5));  // to the next pass
  EXPECT_EQ(store_->scrub_stats().faults, 1u);
  const std::string fault = "d/db offset " + std::to_string(at / 4096 * 4096) +
                            ": page " + std::to_string(at / 4096) +
                            ": checksum mismatch";
  EXPECT_EQ(log_.lines,
            (std::vector<std::string>{"the backend is damaged: " + fault}));
  EXPECT_EQ(Get(500).code(), Code::kDataLoss);
  EXPECT_EQ(Get(500).message(), fault);
  EXPECT_TRUE(Get(1).ok());
  // New revisions are on other pages.
  Put(500);
  world_.RunFor(seconds(1));
  EXPECT_TRUE(Get(500).ok());
  EXPECT_TRUE(fatal_.ok());
}

// What a compaction would have to rewrite cannot be read: the process stops.
TEST_F(StoreScrubTest, AWriteThatMeetsDamageIsFatal) {
  Open(1 << 20);
  Fill();
  Rot(500);
  for (int i = 0; i < kKeys; ++i) Put(i, 'w');
  world_.RunFor(hours(5));
  ASSERT_EQ(store_->scrub_stats().faults, 1u);
  CHECK_OK(store_->Compact(store_->revision(), nullptr));
  store_->EndEntry(LogIndex(++index_), Term(1));
  world_.RunFor(seconds(5));
  EXPECT_EQ(fatal_.code(), Code::kDataLoss);
  EXPECT_NE(fatal_.message().find("checksum mismatch"), std::string::npos);
}

TEST_F(StoreScrubTest, ABackendWithoutSums) {
  OpenOn(NewMemBackend(), 1000);
  Fill();
  world_.RunFor(hours(12));
  EXPECT_EQ(store_->scrub_stats().bytes, 0u);
  EXPECT_EQ(store_->scrub_stats().faults, 0u);
}

}  // namespace
}  // namespace strata
