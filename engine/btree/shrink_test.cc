// Online shrinking: how short the file gets, what stays as it was, and who may
// look on.

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fake_env.h"
#include "base/random.h"
#include "engine/btree/database.h"

namespace strata::btree {
namespace {

constexpr uint64_t kStepBytes = 256 << 10;

using Model = std::map<std::string, std::string>;

std::string Key(uint64_t number) { return std::to_string(100000000 + number); }

class ShrinkTest : public testing::TestWithParam<BtreeOptions> {
 protected:
  ShrinkTest() {
    CHECK_OK(env_.MakeDirs("d"));
    Reopen();
  }
  ~ShrinkTest() override {
    if (backend_ != nullptr) ExpectSound();
  }

  void Reopen(const PlantedBugs& bugs = {}) {
    backend_.reset();
    BtreeOptions options = GetParam();
    options.initial_mmap_bytes = 0;
    auto opened = OpenDatabase(&env_, "d/db", options, Logger::Null(), bugs);
    CHECK_OK(opened);
    backend_ = std::move(opened).value();
  }

  void Put(uint64_t number, size_t size) {
    const std::string value(size, static_cast<char>('a' + number % 26));
    batch_.Put(Table::kKey, Key(number), value);
    model_[Key(number)] = value;
    if (batch_.changes().size() == 500) Commit();
  }
  void Erase(uint64_t number) {
    batch_.Erase(Table::kKey, Key(number));
    model_.erase(Key(number));
    if (batch_.changes().size() == 500) Commit();
  }
  void Commit() {
    CHECK_OK(backend_->Write(batch_));
    batch_.Clear();
  }

  // Steps until it is done or blocked; how many.
  ShrinkProgress Shrink(int* steps = nullptr) {
    for (int i = 1;; ++i) {
      CHECK_LT(i, 100000);
      auto progress = backend_->ShrinkStep(kStepBytes);
      CHECK_OK(progress);
      if (steps != nullptr) *steps = i;
      if (progress->done || progress->blocker) return *progress;
    }
  }

  int ShrinkUnderViews();

  std::shared_ptr<const View> NewView() {
    auto view = backend_->NewView();
    CHECK_OK(view);
    return *view;
  }

  static Model Read(const View& view) {
    Model model;
    auto it = view.NewIterator(Table::kKey);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      model[std::string(it->key())] = it->value();
    }
    EXPECT_TRUE(it->status().ok()) << it->status();
    return model;
  }

  void ExpectSound() {
    CHECK_OK(backend_->Check([](const std::string& f) { ADD_FAILURE() << f; }));
    EXPECT_EQ(Read(*NewView()), model_);
  }

  // Of keys and values.
  uint64_t LiveBytes() const {
    uint64_t bytes = 0;
    for (const auto& [key, value] : model_) bytes += key.size() + value.size();
    return bytes;
  }
  uint64_t FileBytes() {
    auto file = env_.Open("d/db", OpenMode::kReadOnly);
    CHECK_OK(file);
    auto size = (*file)->Size();
    CHECK_OK(size);
    return *size;
  }

  FakeEnv env_;
  std::unique_ptr<Backend> backend_;
  Batch batch_;
  Model model_;
};

INSTANTIATE_TEST_SUITE_P(
    Options, ShrinkTest,
    testing::Values(BtreeOptions{.freelist_type = FreelistType::kMap},
                    BtreeOptions{.freelist_type = FreelistType::kArray},
                    BtreeOptions{.freelist_type = FreelistType::kMap,
                                 .freelist_sync = true},
                    BtreeOptions{.freelist_type = FreelistType::kArray,
                                 .freelist_sync = true}));

// What a compaction leaves: of each page some items.
TEST_P(ShrinkTest, ManySmallKeysOfWhichHalfIsGone) {
  for (int i = 0; i < 20000; ++i) Put(i, 200);
  Commit();
  Random random(1);
  for (int i = 0; i < 20000; ++i) {
    if (random.OneIn(2)) Erase(i);
  }
  Commit();
  const uint64_t before = FileBytes();
  int steps = 0;
  const ShrinkProgress progress = Shrink(&steps);
  EXPECT_TRUE(progress.done);
  EXPECT_EQ(progress.file_bytes, FileBytes());
  EXPECT_LT(FileBytes(), before * 2 / 3);
  EXPECT_LT(FileBytes(), LiveBytes() * 5 / 4);
  EXPECT_GT(steps, 10);
  ExpectSound();
  Reopen();
  ExpectSound();
  // Once more there is nothing to do.
  Shrink(&steps);
  EXPECT_LT(steps, 10);
}

TEST_P(ShrinkTest, AlmostAllIsGone) {
  for (int i = 0; i < 20000; ++i) Put(i, 200);
  for (int i = 0; i < 19900; ++i) Erase(i);
  Commit();
  Shrink();
  EXPECT_LT(FileBytes(), 200000u);
}

TEST_P(ShrinkTest, LargeAndSmallValues) {
  Random random(2);
  for (int i = 0; i < 3000; ++i) {
    Put(i, random.OneIn(3) ? random.Below(40000) : random.Below(2000));
  }
  Commit();
  for (int round = 0; round < 4000; ++round) {
    const uint64_t i = random.Below(3000);
    if (random.OneIn(3)) {
      Erase(i);
    } else {
      Put(i, random.OneIn(3) ? random.Below(40000) : random.Below(2000));
    }
    if (random.OneIn(20)) Commit();
  }
  Commit();
  for (int i = 0; i < 3000; ++i) {
    if (random.OneIn(2)) Erase(i);
  }
  Commit();
  const ShrinkProgress progress = Shrink();
  EXPECT_TRUE(progress.done);
  EXPECT_LT(FileBytes(), progress.live_bytes * 5 / 4);
  ExpectSound();
}

TEST_P(ShrinkTest, WritesGoOnBetweenTheSteps) {
  for (int i = 0; i < 20000; ++i) Put(i, 200);
  for (int i = 0; i < 15000; ++i) Erase(i);
  Commit();
  const uint64_t before = FileBytes();
  uint64_t next = 20000;
  for (bool done = false; !done;) {
    auto progress = backend_->ShrinkStep(kStepBytes);
    ASSERT_TRUE(progress.ok()) << progress.ToString();
    done = progress->done;
    for (int i = 0; i < 20; ++i) Put(next++, 200);
    Erase(next - 5000);
    Commit();
  }
  EXPECT_LT(FileBytes(), before / 2);
  ExpectSound();
}

TEST_P(ShrinkTest, AnOldViewBlocksItAndSeesAll) {
  for (int i = 0; i < 20000; ++i) Put(i, 200);
  Commit();
  auto view = NewView();
  const Model seen = model_;
  for (int i = 0; i < 19000; ++i) Erase(i);
  Commit();
  const ShrinkProgress blocked = Shrink();
  EXPECT_FALSE(blocked.done);
  ASSERT_TRUE(blocked.blocker.has_value());
  EXPECT_EQ(blocked.blocker->id, backend_->OldViews().at(0).id);
  EXPECT_GT(blocked.blocker->pinned_bytes, 3000000u);
  EXPECT_TRUE(Read(*view) == seen);
  uint64_t bytes = 0;
  CHECK_OK(backend_->WriteSnapshot(*view, [&](std::string_view piece) {
    bytes += piece.size();
    return Status::Ok();
  }));
  EXPECT_LE(bytes, FileBytes());
  view.reset();
  EXPECT_TRUE(Shrink().done);
  EXPECT_LT(FileBytes(), 700000u);
}

// Views as old as three commits are held all along; how many of them had pages
// that the file no longer has. (A snapshot copies them all.)
int ShrinkTest::ShrinkUnderViews() {
  for (int i = 0; i < 5000; ++i) Put(i, 200);
  for (int i = 0; i < 4900; ++i) Erase(i);
  Commit();
  int cut = 0;
  std::deque<std::shared_ptr<const View>> views;
  for (int step = 0; step < 100; ++step) {
    CHECK_OK(backend_->ShrinkStep(kStepBytes));
    for (const auto& view : views) {
      uint64_t bytes = 0;
      CHECK_OK(backend_->WriteSnapshot(*view, [&](std::string_view piece) {
        bytes += piece.size();
        return Status::Ok();
      }));
      cut += bytes > FileBytes();
    }
    views.push_back(NewView());
    if (views.size() > 3) views.pop_front();
  }
  return cut;
}

TEST_P(ShrinkTest, NothingIsCutUnderAView) {
  EXPECT_EQ(ShrinkUnderViews(), 0);
  EXPECT_LT(FileBytes(), 200000u);
}

TEST_P(ShrinkTest, ACutUnderAViewIsFound) {
  Reopen({.cut_under_view = true});
  EXPECT_GT(ShrinkUnderViews(), 0);
}

TEST_P(ShrinkTest, ItCanBeGivenUp) {
  for (int i = 0; i < 20000; ++i) Put(i, 200);
  for (int i = 0; i < 20000; i += 2) Erase(i);
  Commit();
  for (int i = 0; i < 5; ++i) CHECK_OK(backend_->ShrinkStep(kStepBytes));
  backend_->EndShrink();
  ExpectSound();
  Reopen();
  ExpectSound();
  EXPECT_TRUE(Shrink().done);
}

TEST_P(ShrinkTest, AFullDiskIsWaitedOut) {
  for (int i = 0; i < 20000; ++i) Put(i, 200);
  for (int i = 0; i < 20000; i += 2) Erase(i);
  Commit();
  env_.SetCapacity(env_.UsedBytes());
  EXPECT_TRUE(Shrink().done);
  ExpectSound();
}

}  // namespace
}  // namespace strata::btree
