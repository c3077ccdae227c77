#include "engine/btree/freelist.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/bytes.h"
#include "base/random.h"

namespace strata::btree {
namespace {

class FreelistTest : public testing::TestWithParam<FreelistType> {};

INSTANTIATE_TEST_SUITE_P(Types, FreelistTest,
                         testing::Values(FreelistType::kArray,
                                         FreelistType::kMap),
                         [](const auto& info) {
                           return info.param == FreelistType::kArray ? "array"
                                                                     : "map";
                         });

PageRun R(uint64_t first, uint64_t count) { return {PageId(first), count}; }

std::vector<PageRun> All(const Freelist& list) {
  std::vector<PageRun> runs;
  EXPECT_TRUE(list.All(&runs));
  return runs;
}

TEST_P(FreelistTest, RunsJoin) {
  auto runs = FreeRuns::New(GetParam());
  EXPECT_TRUE(runs->Give({R(5, 1), R(3, 1), R(9, 2)}));
  EXPECT_TRUE(runs->Give({R(4, 1), R(7, 1)}));
  EXPECT_EQ(runs->runs(), (std::vector<PageRun>{R(3, 3), R(7, 1), R(9, 2)}));
  EXPECT_EQ(runs->count(), 6u);
  EXPECT_EQ(runs->Take(4), std::nullopt);
  EXPECT_EQ(runs->Take(3), PageId(3));
  EXPECT_EQ(runs->Take(2), PageId(9));
  EXPECT_EQ(runs->Take(2), std::nullopt);
  EXPECT_EQ(runs->Take(1), PageId(7));
  EXPECT_EQ(runs->Take(1), std::nullopt);
  EXPECT_EQ(runs->count(), 0u);
}

TEST_P(FreelistTest, GivingTwiceIsFound) {
  for (PageRun again : {R(10, 1), R(12, 1), R(9, 2), R(14, 2), R(8, 9)}) {
    auto runs = FreeRuns::New(GetParam());
    ASSERT_TRUE(runs->Give({R(10, 5)}));
    EXPECT_FALSE(runs->Give({again})) << again.first;
  }
}

std::vector<TxId> Visible(std::vector<uint64_t> states) {
  return {states.begin(), states.end()};
}

TEST_P(FreelistTest, PendingUntilReleased) {
  Freelist list(GetParam());
  list.Free(TxId(5), R(10, 2));
  ASSERT_TRUE(list.Release(Visible({4, 5})));
  list.Free(TxId(6), R(20, 1));
  EXPECT_EQ(list.Allocate(TxId(6), 1), std::nullopt);
  EXPECT_EQ(list.pending_count(), 3u);
  EXPECT_EQ(list.WaitingFor(TxId(4)), 2u);
  ASSERT_TRUE(list.Release(Visible({5, 6})));
  EXPECT_EQ(list.pending_count(), 1u);
  EXPECT_EQ(list.free_count(), 2u);
  EXPECT_EQ(All(list), (std::vector<PageRun>{R(10, 2), R(20, 1)}));
  EXPECT_EQ(list.Allocate(TxId(7), 2), PageId(10));
  EXPECT_EQ(list.Allocate(TxId(7), 1), std::nullopt);
}

// The view of state 3 does not see what was taken after it.
TEST_P(FreelistTest, AnOldViewPinsOnlyWhatItSees) {
  Freelist list(GetParam());
  list.Free(TxId(4), R(10, 1));  // 3 sees it
  list.Taken(TxId(4), PageId(20));
  list.Commit();
  ASSERT_TRUE(list.Release(Visible({3, 4})));
  list.Free(TxId(5), R(20, 1));  // 4 sees it, 3 does not
  list.Commit();
  ASSERT_TRUE(list.Release(Visible({3, 4, 5})));
  EXPECT_EQ(list.free_count(), 0u);
  EXPECT_EQ(list.WaitingFor(TxId(3)), 1u);
  EXPECT_EQ(list.WaitingFor(TxId(4)), 1u);
  ASSERT_TRUE(list.Release(Visible({3, 5, 6})));
  EXPECT_EQ(list.Allocate(TxId(7), 1), PageId(20));
  EXPECT_EQ(list.WaitingFor(TxId(3)), 1u);
  ASSERT_TRUE(list.Release(Visible({6, 7})));
  EXPECT_EQ(list.pending_count(), 0u);
}

// Any run of transactions and views: a page that a view sees is never handed
// out, and one that none sees is free.
TEST_P(FreelistTest, RandomViewsAgainstAModel) {
  constexpr uint64_t kPages = 300;
  Random random(7);
  Freelist list(GetParam());
  std::set<uint64_t> tree;  // pages of the newest state
  std::map<uint64_t, std::set<uint64_t>> states = {{1, {}}, {2, {}}};
  std::set<uint64_t> views;
  uint64_t high_water = 2;
  for (uint64_t tx = 3; tx < 600; ++tx) {
    std::vector<TxId> visible;
    std::set<uint64_t> seen;
    for (auto at = states.begin(); at != states.end();) {
      const bool keep = at->first + 2 >= tx || views.count(at->first) > 0;
      if (keep) visible.push_back(TxId(at->first));
      if (keep) seen.insert(at->second.begin(), at->second.end());
      at = keep ? std::next(at) : states.erase(at);
    }
    ASSERT_TRUE(list.Release(visible));
    ASSERT_EQ(list.free_count(), high_water - 2 - seen.size());
    for (uint64_t i = random.Below(6); i > 0 && !tree.empty(); --i) {
      auto page = tree.lower_bound(random.Below(high_water));
      if (page == tree.end()) continue;
      list.Free(TxId(tx), R(*page, 1));
      tree.erase(page);
    }
    for (uint64_t i = random.Below(6); i > 0; --i) {
      uint64_t page = high_water;
      if (auto free = list.Allocate(TxId(tx), 1)) {
        page = free->value();
        ASSERT_EQ(seen.count(page), 0u);
      } else if (high_water < kPages) {
        list.Taken(TxId(tx), PageId(high_water++));
      } else {
        continue;
      }
      ASSERT_TRUE(tree.insert(page).second);
    }
    list.Commit();
    states[tx] = tree;
    if (random.OneIn(5)) views.insert(tx);
    if (random.OneIn(5) && !views.empty()) {
      views.erase(std::next(views.begin(), random.Below(views.size())));
    }
  }
}

TEST_P(FreelistTest, TheTailIsCut) {
  Freelist list(GetParam());
  ASSERT_TRUE(list.Load({R(10, 5), R(90, 10)}));
  EXPECT_EQ(list.CutTail(PageId(200)), 0u);
  EXPECT_EQ(list.CutTail(PageId(100)), 10u);
  EXPECT_EQ(list.CutTail(PageId(90)), 0u);
  EXPECT_EQ(list.free_count(), 5u);
  list.Rollback(TxId(1));
  EXPECT_EQ(All(list), (std::vector<PageRun>{R(10, 5), R(90, 10)}));
}

TEST_P(FreelistTest, TheLowestThatFits) {
  Freelist list(GetParam());
  ASSERT_TRUE(list.Load({R(10, 5), R(20, 1), R(30, 9), R(50, 7)}));
  list.PreferLow(true);
  EXPECT_EQ(list.Allocate(TxId(1), 1), PageId(10));
  EXPECT_EQ(list.Allocate(TxId(1), 6), PageId(30));
  EXPECT_EQ(list.Allocate(TxId(1), 7), PageId(50));
  EXPECT_EQ(list.Allocate(TxId(1), 4), PageId(11));
  EXPECT_EQ(list.Allocate(TxId(1), 1), PageId(20));
  EXPECT_EQ(list.Allocate(TxId(1), 4), std::nullopt);
}

TEST_P(FreelistTest, RollbackPutsAllBack) {
  Freelist list(GetParam());
  ASSERT_TRUE(list.Load({R(10, 6)}));
  ASSERT_TRUE(list.Allocate(TxId(7), 2).has_value());
  ASSERT_TRUE(list.Allocate(TxId(7), 3).has_value());
  list.Free(TxId(7), R(30, 4));
  list.Rollback(TxId(7));
  EXPECT_EQ(All(list), (std::vector<PageRun>{R(10, 6)}));
  EXPECT_EQ(list.pending_count(), 0u);
  ASSERT_TRUE(list.Allocate(TxId(7), 2).has_value());
  list.Commit();
  list.Rollback(TxId(8));
  EXPECT_EQ(list.free_count(), 4u);
}

TEST_P(FreelistTest, FreedTwiceIsFound) {
  Freelist list(GetParam());
  list.Free(TxId(5), R(10, 2));
  list.Free(TxId(6), R(11, 1));
  std::vector<PageRun> runs;
  EXPECT_FALSE(list.All(&runs));
  EXPECT_FALSE(list.Release(Visible({7, 8})));
}

// Both forms hand out pages that are free, and none twice; the array, and both
// on demand, the lowest that fit.
TEST_P(FreelistTest, RandomAgainstASet) {
  Random random(1);
  auto runs = FreeRuns::New(GetParam());
  std::set<uint64_t> free;
  auto lowest = [&free](uint64_t count) {
    uint64_t length = 0;
    uint64_t before = 0;
    for (uint64_t page : free) {
      length = page == before + 1 ? length + 1 : 1;
      if (length == count) return page + 1 - count;
      before = page;
    }
    return uint64_t{0};
  };
  std::vector<PageRun> used = {R(2, 3000)};
  for (int step = 0; step < 5000; ++step) {
    if (!used.empty() && random.OneIn(2)) {
      size_t i = random.Below(used.size());
      PageRun& run = used[i];
      const uint64_t part = random.Between(1, run.count);
      ASSERT_TRUE(runs->Give({R(run.first.value(), part)}));
      for (uint64_t j = 0; j < part; ++j) free.insert(run.first.value() + j);
      run = R(run.first.value() + part, run.count - part);
      if (run.count == 0) used.erase(used.begin() + i);
    } else {
      const uint64_t count = random.Between(1, random.OneIn(9) ? 700 : 12);
      const bool low = random.OneIn(2);
      const uint64_t expected = lowest(count);
      auto first = low ? runs->TakeLowest(count) : runs->Take(count);
      ASSERT_EQ(first.has_value(), expected != 0);
      if (!first) continue;
      if (low || GetParam() == FreelistType::kArray) {
        ASSERT_EQ(first->value(), expected);
      }
      for (uint64_t j = 0; j < count; ++j) {
        ASSERT_EQ(free.erase(first->value() + j), 1u);
      }
      used.push_back({*first, count});
    }
    ASSERT_EQ(runs->count(), free.size());
  }
  uint64_t listed = 0;
  for (const PageRun& run : runs->runs()) {
    for (uint64_t j = 0; j < run.count; ++j, ++listed) {
      ASSERT_EQ(free.count(run.first.value() + j), 1u);
    }
  }
  EXPECT_EQ(listed, free.size());
}

// --- The stored form. ---

constexpr uint32_t kPageSize = 4096;
constexpr uint64_t kAt = 2;  // where the list is stored below

// Stores `runs` at page 2 of a file with `high_water` pages.
class Stored {
 public:
  Stored(const std::vector<PageRun>& runs, uint64_t high_water) {
    uint64_t ids = 0;
    for (const PageRun& run : runs) ids += run.count;
    const uint64_t pages = Freelist::PagesFor(ids, kPageSize);
    bytes_.resize(kAt * kPageSize);
    bytes_ += Freelist::Encode(runs, PageId(kAt), pages, kPageSize);
    // Only the list itself is read.
    source_ = PageSource(bytes_.data(), kPageSize, PageId(high_water), &path_);
  }
  char* list() { return bytes_.data() + kAt * kPageSize; }
  StatusOr<std::vector<PageRun>> Decode() {
    return Freelist::Decode(source_, PageId(kAt));
  }

 private:
  const std::string path_ = "file";
  std::string bytes_;
  PageSource source_;
};

TEST(StoredFreelistTest, RoundTrip) {
  for (std::vector<PageRun> runs :
       {std::vector<PageRun>{}, std::vector<PageRun>{R(3, 1)},
        std::vector<PageRun>{R(3, 4), R(90, 9)}}) {
    Stored stored(runs, 100);
    auto decoded = stored.Decode();
    ASSERT_TRUE(decoded.ok()) << decoded.ToString();
    EXPECT_EQ(*decoded, runs);
  }
}

// Around the count that no longer fits into the header.
TEST(StoredFreelistTest, ManyIds) {
  for (uint64_t ids : {65534, 65535, 65536, 200000}) {
    const std::vector<PageRun> runs = {R(1000, ids - 10), R(1000 + ids, 10)};
    Stored stored(runs, 300000 / 100 + 1000 + 2 * ids);
    EXPECT_EQ(LoadLittle16(stored.list() + 10), ids < 65535 ? ids : 65535);
    if (ids >= 65535) {
      EXPECT_EQ(LoadLittle64(stored.list() + kHeaderBytes), ids);
    }
    auto decoded = stored.Decode();
    ASSERT_TRUE(decoded.ok()) << decoded.ToString();
    EXPECT_EQ(*decoded, runs);
  }
}

TEST(StoredFreelistTest, DamageIsFound) {
  const std::vector<PageRun> runs = {R(10, 3), R(20, 1)};
  auto fails = [&](size_t offset, uint64_t number) {
    Stored stored(runs, 100);
    StoreLittle64(stored.list() + offset, number);
    return stored.Decode().status().code() == Code::kDataLoss;
  };
  EXPECT_TRUE(fails(0, 3));           // another page's number
  EXPECT_TRUE(fails(8, 0x40002));     // a leaf
  EXPECT_TRUE(fails(8, 0xFFFE0010));  // more ids than fit
  EXPECT_TRUE(fails(8, 0xFFFF0010));  // the count of a long list is short
  EXPECT_TRUE(fails(8, 0x6300000004'0010));  // overflow beyond the end
  EXPECT_TRUE(fails(16, 0));                 // a meta is free
  EXPECT_TRUE(fails(16, 1));
  EXPECT_TRUE(fails(16, 2));    // the list itself is free
  EXPECT_TRUE(fails(16, 100));  // beyond the last page
  EXPECT_TRUE(fails(16, 11));   // twice
  EXPECT_FALSE(fails(16, 9));   // just another page
}

}  // namespace
}  // namespace strata::btree
