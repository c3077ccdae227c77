#include "engine/btree/inspect.h"

#include <gtest/gtest.h>

#include "base/fake_env.h"
#include "engine/btree_backend.h"

namespace strata::btree {
namespace {

constexpr char kPath[] = "db";
constexpr uint32_t kPageSize = 4096;

// Some leaves under a branch, a value over several pages, free pages, and a
// stored freelist if asked for.
void MakeFile(Env* env, bool freelist_sync) {
  BtreeOptions options;
  options.page_size = kPageSize;
  options.freelist_sync = freelist_sync;
  options.initial_mmap_bytes = 1 << 20;
  auto backend = OpenBtreeBackend(env, kPath, options, Logger::Null());
  ASSERT_TRUE(backend.ok()) << backend.status();
  for (int round = 0; round < 3; ++round) {
    Batch batch;
    for (int i = 0; i < 100; ++i) {
      batch.Put(Table::kKey, "key" + std::to_string(100 + i),
                std::string(100 + round, 'v'));
    }
    batch.Put(Table::kKey, "large", std::string(3 * kPageSize, 'x'));
    batch.Put(Table::kMeta, "one", "1");
    ASSERT_TRUE((*backend)->Write(batch).ok());
  }
}

struct Seen {
  PageMap map;
  std::vector<Status> faults;
  int leaves = 0;
};

Seen Look(const Inspection& file, int slot) {
  Seen seen;
  seen.map = MapPages(
      file.TreeOf(slot),
      [&](const Status& fault) {
        seen.faults.push_back(fault);
        return true;
      },
      [&](const Checker::Visit& visit) {
        if (visit.page.is_leaf() && !visit.is_inline) ++seen.leaves;
      });
  return seen;
}

uint64_t Count(const PageMap& map, PageRole role) {
  uint64_t count = 0;
  for (const PageUse& use : map.pages) count += use.role == role;
  return count;
}

class InspectTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { MakeFile(&env_, GetParam()); }
  FakeEnv env_;
};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutFreelist, InspectTest, testing::Bool());

TEST_P(InspectTest, EveryPageHasARole) {
  const auto file = Inspection::Open(&env_, kPath);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->faults().empty());
  const Seen seen = Look(**file, (*file)->metas().Newest());
  EXPECT_TRUE(seen.faults.empty()) << seen.faults[0];
  const PageMap& map = seen.map;
  EXPECT_EQ(Count(map, PageRole::kMeta), 2);
  EXPECT_GE(Count(map, PageRole::kBranch), 1);
  EXPECT_EQ(Count(map, PageRole::kLeaf), seen.leaves);
  EXPECT_GE(Count(map, PageRole::kOverflow), 3);
  EXPECT_EQ(Count(map, PageRole::kFreelist), GetParam() ? 1 : 0);
  EXPECT_GE(Count(map, PageRole::kFree), 1);
  EXPECT_EQ(Count(map, PageRole::kUnreached), 0);
  EXPECT_EQ(Count(map, PageRole::kDamaged), 0);
  for (size_t id = 0; id < map.pages.size(); ++id) {
    const PageUse& use = map.pages[id];
    EXPECT_LE(use.used_bytes, (use.overflow + 1ull) * kPageSize);
    if (use.role == PageRole::kBranch) {
      EXPECT_EQ(use.depth, 0);
    }
    if (use.role != PageRole::kOverflow) continue;
    const PageUse& first = map.pages[use.parent.value()];
    EXPECT_LE(id, use.parent.value() + first.overflow);
    EXPECT_EQ(map.buckets[use.bucket], map.buckets[first.bucket]);
  }
}

TEST_P(InspectTest, ADamagedPageIsToldAndTheRestIsSeen) {
  uint64_t leaf = 0;
  {
    const auto file = Inspection::Open(&env_, kPath);
    const Seen seen = Look(**file, (*file)->metas().Newest());
    for (uint64_t id = 0; id < seen.map.pages.size(); ++id) {
      const PageUse& use = seen.map.pages[id];
      if (use.role == PageRole::kLeaf && use.parent != PageId() &&
          seen.map.buckets[use.bucket] == "key") {
        leaf = id;
      }
    }
  }
  env_.FlipBit(kPath, leaf * kPageSize + 8, 3);  // its flags
  const auto file = Inspection::Open(&env_, kPath);
  ASSERT_TRUE(file.ok()) << file.status();
  const Seen seen = Look(**file, (*file)->metas().Newest());
  ASSERT_FALSE(seen.faults.empty());
  EXPECT_NE(seen.faults[0].message().find("offset " +
                                          std::to_string(leaf * kPageSize)),
            std::string::npos)
      << seen.faults[0];
  EXPECT_EQ(Count(seen.map, PageRole::kDamaged), 1);
  EXPECT_EQ(seen.map.pages[leaf].role, PageRole::kDamaged);
  EXPECT_GE(seen.leaves, 2);
}

TEST_P(InspectTest, OneDamagedMetaLeavesTheOther) {
  env_.FlipBit(kPath, 16 + 50, 0);
  const auto file = Inspection::Open(&env_, kPath);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->faults().size(), 1);
  EXPECT_EQ((*file)->metas().Newest(), 1);
  EXPECT_EQ((*file)->page_size(), kPageSize);
  EXPECT_TRUE(Look(**file, 1).faults.empty());
}

TEST_P(InspectTest, ACutFileIsSeenUpToItsEnd) {
  {
    const auto file = env_.Open(kPath, OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->Resize(5 * kPageSize + 100).ok());
  }
  const auto file = Inspection::Open(&env_, kPath);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->faults().size(), 1);
  EXPECT_NE((*file)->faults()[0].message().find("offset 20580"),
            std::string::npos);
  const Seen seen = Look(**file, (*file)->metas().Newest());
  EXPECT_EQ(seen.map.pages.size(), 5);
  EXPECT_FALSE(seen.faults.empty());
}

TEST_P(InspectTest, NoFileIsTooSmallToOpen) {
  for (const uint64_t size : {8192, 8191, 4176, 2048, 2047, 79, 0}) {
    {
      const auto file = env_.Open(kPath, OpenMode::kReadWrite);
      ASSERT_TRUE((*file)->Resize(size).ok());
    }
    const auto file = Inspection::Open(&env_, kPath);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_FALSE((*file)->faults().empty());
    EXPECT_EQ((*file)->metas().Newest() < 0, size < 2 * kPageSize);
    if (size == 2 * kPageSize) Look(**file, (*file)->metas().Newest());
  }
}

TEST_P(InspectTest, AFileInUseIsRefused) {
  const auto user = env_.Open(kPath, OpenMode::kReadWrite);
  ASSERT_TRUE((*user)->Lock().ok());
  const auto file = Inspection::Open(&env_, kPath);
  EXPECT_EQ(file.status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace strata::btree
