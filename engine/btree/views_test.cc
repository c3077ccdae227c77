// What a view pins: all that it can see, and nothing else.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fake_env.h"
#include "engine/btree/database.h"

namespace strata::btree {
namespace {

constexpr int kKeys = 100;

class ViewsTest : public testing::TestWithParam<FreelistType> {
 protected:
  ViewsTest() { CHECK_OK(env_.MakeDirs("d")); }

  void Open(const PlantedBugs& bugs = {}) {
    BtreeOptions options;
    options.freelist_type = GetParam();
    options.initial_mmap_bytes = 0;
    auto opened = OpenDatabase(&env_, "d/db", options, Logger::Null(), bugs);
    CHECK_OK(opened);
    backend_ = std::move(opened).value();
  }

  // All keys get a value of `letter`.
  void Write(char letter) {
    Batch batch;
    for (int i = 0; i < kKeys; ++i) {
      batch.Put(Table::kKey, std::to_string(100 + i), std::string(200, letter));
    }
    CHECK_OK(backend_->Write(batch));
  }

  std::shared_ptr<const View> NewView() {
    auto view = backend_->NewView();
    CHECK_OK(view);
    return *view;
  }

  // Whether the view shows what all keys were when it was made.
  static bool Shows(const View& view, char letter) {
    int keys = 0;
    auto it = view.NewIterator(Table::kKey);
    for (it->SeekToFirst(); it->Valid(); it->Next(), ++keys) {
      if (it->value() != std::string(200, letter)) return false;
    }
    return it->status().ok() && keys == kKeys;
  }

  FakeEnv env_;
  std::unique_ptr<Backend> backend_;
};

INSTANTIATE_TEST_SUITE_P(Types, ViewsTest,
                         testing::Values(FreelistType::kArray,
                                         FreelistType::kMap));

TEST_P(ViewsTest, OneThatStaysKeepsItsPagesAndNoMore) {
  Open();
  for (int i = 0; i < 10; ++i) Write('a');
  const uint64_t usual = backend_->Sizes().file_bytes;
  const auto view = NewView();
  for (int i = 0; i < 200; ++i) Write('b');
  EXPECT_TRUE(Shows(*view, 'a'));
  EXPECT_LT(backend_->Sizes().file_bytes, 2 * usual);
}

TEST_P(ViewsTest, ManyOfDifferentAges) {
  Open();
  std::vector<std::pair<char, std::shared_ptr<const View>>> views;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    Write(letter);
    if (letter % 3 == 0) views.emplace_back(letter, NewView());
    if (views.size() > 4) views.erase(views.begin() + views.size() / 2);
  }
  for (const auto& [letter, view] : views) EXPECT_TRUE(Shows(*view, letter));
}

TEST_P(ViewsTest, APlantedBugIsFound) {
  Open({.ignore_views = true});
  Write('a');
  const auto view = NewView();
  for (int i = 0; i < 5; ++i) Write('b');
  EXPECT_FALSE(Shows(*view, 'a'));
}

}  // namespace
}  // namespace strata::btree
