#include "engine/btree/freelist.h"

#include <gtest/gtest.h>

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

TEST_P(FreelistTest, PendingUntilReleased) {
  Freelist list(GetParam());
  list.Free(TxId(5), R(10, 2));
  list.Free(TxId(6), R(20, 1));
  EXPECT_EQ(list.Allocate(1), std::nullopt);
  EXPECT_EQ(list.pending_count(), 3u);
  ASSERT_TRUE(list.Release(TxId(4)));
  EXPECT_EQ(list.Allocate(1), std::nullopt);
  ASSERT_TRUE(list.Release(TxId(5)));
  EXPECT_EQ(list.pending_count(), 1u);
  EXPECT_EQ(list.free_count(), 2u);
  EXPECT_EQ(All(list), (std::vector<PageRun>{R(10, 2), R(20, 1)}));
  EXPECT_EQ(list.Allocate(2), PageId(10));
  EXPECT_EQ(list.Allocate(1), std::nullopt);
}

TEST_P(FreelistTest, RollbackPutsAllBack) {
  Freelist list(GetParam());
  ASSERT_TRUE(list.Load({R(10, 6)}));
  ASSERT_TRUE(list.Allocate(2).has_value());
  ASSERT_TRUE(list.Allocate(3).has_value());
  list.Free(TxId(7), R(30, 4));
  list.Rollback(TxId(7));
  EXPECT_EQ(All(list), (std::vector<PageRun>{R(10, 6)}));
  EXPECT_EQ(list.pending_count(), 0u);
  ASSERT_TRUE(list.Allocate(2).has_value());
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
  EXPECT_FALSE(list.Release(TxId(6)));
}

// Both forms hand out pages that are free, and none twice.
TEST_P(FreelistTest, RandomAgainstASet) {
  Random random(1);
  auto runs = FreeRuns::New(GetParam());
  std::set<uint64_t> free;
  std::vector<PageRun> used = {R(2, 500)};
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
      const uint64_t count = random.Between(1, 12);
      auto first = runs->Take(count);
      if (!first) continue;
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
