// Every byte of a file of 64 pages has one bit flipped (or, built with
// STRATA_FLIP_ALL_BITS, each of its bits in turn). Each flip is found by the
// open, or else by a read of all tables and by Check(); or it is in a page that
// nothing uses, and changes nothing.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/fake_env.h"
#include "engine/btree/database.h"
#include "engine/btree/file_testing.h"

namespace strata::btree {
namespace {

constexpr char kPath[] = "d/db";
constexpr uint64_t kPages = 64;

#ifdef STRATA_FLIP_ALL_BITS
constexpr bool kAllBits = true;
constexpr uint32_t kPageSizes[] = {1024, 4096};
#else
constexpr bool kAllBits = false;
constexpr uint32_t kPageSizes[] = {1024};
#endif

using Content = std::map<std::pair<int, std::string>, std::string>;

struct Kind {
  uint32_t page_size;
  bool synced;
};

std::vector<Kind> Kinds() {
  std::vector<Kind> kinds;
  for (uint32_t page_size : kPageSizes) {
    for (bool synced : {false, true}) kinds.push_back({page_size, synced});
  }
  return kinds;
}

StatusOr<Content> ReadAll(Backend* backend) {
  Content content;
  ASSIGN_OR_RETURN(auto view, backend->NewView());
  for (int table = 0; table < kTableCount; ++table) {
    auto it = view->NewIterator(static_cast<Table>(table));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      content[{table, std::string(it->key())}] = it->value();
    }
    RETURN_IF_ERROR(it->status());
  }
  return content;
}

class FlipTest : public testing::TestWithParam<Kind> {
 protected:
  // Leaves, branches, values over several pages, inline buckets, free pages;
  // written until the last page is used.
  void SetUp() override {
    CHECK_OK(env_.MakeDirs("d"));
    auto backend = Open(/*read_only=*/false);
    CHECK_OK(backend);
    const uint32_t page_size = GetParam().page_size;
    for (int i = 0; (*backend)->Sizes().file_bytes < kPages * page_size; ++i) {
      Batch batch;
      const std::string key = "key" + std::to_string(1000 + i);
      const size_t size = i % 7 == 0 ? 2 * page_size : page_size / 4;
      batch.Put(Table::kKey, key, std::string(size, 'a' + i % 26));
      if (i % 2 == 1) batch.Erase(Table::kKey, "key" + std::to_string(999 + i));
      batch.Put(Table::kMeta, "consistent_index", std::to_string(i));
      batch.Put(Table::kLease, key, "a lease");
      CHECK_OK((*backend)->Write(batch));
    }
    auto content = ReadAll(backend->get());
    CHECK_OK(content);
    content_ = *content;
    backend->reset();
    auto bytes = ReadFile(&env_, kPath, 64 << 20);
    CHECK_OK(bytes);
    layout_ = LayoutOf(*bytes);
    bytes_ = bytes->size();
    EXPECT_GE(layout_.meta.high_water, kPages);
    EXPECT_TRUE(HasMark(*bytes, layout_, layout_.slot));
  }

  StatusOr<std::unique_ptr<Backend>> Open(bool read_only) {
    BtreeOptions options;
    options.page_size = GetParam().page_size;
    options.freelist_sync = GetParam().synced;
    options.initial_mmap_bytes = 0;
    options.read_only = read_only;
    return OpenDatabase(&env_, kPath, options, Logger::Null(), bugs_);
  }

  // Where a fault in the page of `offset` must be said to be.
  std::string Place(uint64_t offset) {
    uint64_t page = offset / GetParam().page_size;
    if (page >= 2) page = layout_.first_of[page];
    return "d/db offset " + std::to_string(page * GetParam().page_size) + ": ";
  }

  // Whether all that should find a damaged byte at `offset` does.
  bool Found(uint64_t offset) {
    auto backend = Open(/*read_only=*/true);
    if (!backend.ok()) return IsAt(backend.status(), offset);
    const auto content = ReadAll(backend->get());
    if (content.ok()) return false;
    bool checked = false;
    CHECK_OK((*backend)->Check([&](const std::string& fault) {
      checked |= fault.starts_with(Place(offset));
    }));
    return IsAt(content.status(), offset) && checked;
  }

  bool IsAt(const Status& status, uint64_t offset) {
    return status.code() == Code::kDataLoss &&
           status.message().starts_with(Place(offset));
  }

  // Whether all is as if nothing had happened.
  bool Unharmed() {
    auto backend = Open(/*read_only=*/true);
    if (!backend.ok()) return false;
    auto content = ReadAll(backend->get());
    int faults = 0;
    CHECK_OK((*backend)->Check([&](const std::string&) { ++faults; }));
    return content.ok() && *content == content_ && faults == 0;
  }

  bool FlipIsSeenTo(uint64_t offset, int bit) {
    env_.FlipBit(kPath, offset, bit);
    const bool used = layout_.used(offset / GetParam().page_size);
    const bool right = used ? Found(offset) : Unharmed();
    env_.FlipBit(kPath, offset, bit);
    (used ? used_ : unused_) += 1;
    return right;
  }

  PlantedBugs bugs_;
  FakeEnv env_;
  Content content_;
  Layout layout_;
  uint64_t bytes_ = 0;
  uint64_t used_ = 0;
  uint64_t unused_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Kinds, FlipTest, testing::ValuesIn(Kinds()),
                         [](const auto& info) {
                           return std::to_string(info.param.page_size) +
                                  (info.param.synced ? "synced" : "scanned");
                         });

TEST_P(FlipTest, EveryFlipIsFound) {
  for (uint64_t offset = 0; offset < bytes_; ++offset) {
    for (int bit = 0; bit < 8; ++bit) {
      if (!kAllBits && bit != static_cast<int>(offset * 5 % 8)) continue;
      ASSERT_TRUE(FlipIsSeenTo(offset, bit)) << offset << " bit " << bit;
    }
  }
  EXPECT_GT(used_, kPages / 2 * GetParam().page_size);
  EXPECT_GT(unused_, 0u);
  EXPECT_TRUE(Unharmed());
}

// The test above would see that sums are not checked.
TEST_P(FlipTest, WithoutCheckingManyAreNotFound) {
  bugs_.no_sums_checked = true;
  uint64_t missed = 0;
  for (uint64_t offset = 0; offset < bytes_; offset += 101) {
    missed += FlipIsSeenTo(offset, 3) ? 0 : 1;
  }
  EXPECT_GT(missed, bytes_ / 101 / 3);
}

}  // namespace
}  // namespace strata::btree
