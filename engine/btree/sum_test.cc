#include "engine/btree/sum.h"

#include <gtest/gtest.h>

#include <string>

#include "base/crc32c.h"
#include "base/fake_env.h"
#include "engine/btree/database.h"
#include "engine/btree/file_testing.h"
#include "engine/btree/node.h"

namespace strata::btree {
namespace {

constexpr char kPath[] = "d/db";
constexpr uint32_t kPageSize = 1024;

// --- The bytes. ---

std::string PageWith(const std::string& value, uint64_t pages) {
  Node node;
  node.items.push_back({0, "k", value, {}});
  std::string page(pages * kPageSize, '\0');
  EncodeNode(node, PageId(3), static_cast<uint32_t>(pages - 1), page.data());
  return page;
}

TEST(SumTest, CoversEveryBit) {
  for (uint64_t pages : {1, 3}) {
    std::string page = PageWith(std::string(pages * 700, 'v'), pages);
    EXPECT_EQ(CheckSum(page), SumState::kNone);
    Seal(page.data(), page.size());
    EXPECT_EQ(CheckSum(page), SumState::kRight);
    EXPECT_EQ(Load<uint32_t>(page.data() + page.size() - 4),
              crc32c::Value(std::string_view(page).substr(0, page.size() - 4)));
    for (size_t i = 0; i < page.size(); ++i) {
      page[i] = static_cast<char>(page[i] ^ 1 << i % 8);
      EXPECT_NE(CheckSum(page), SumState::kRight) << i;
      page[i] = static_cast<char>(page[i] ^ 1 << i % 8);
    }
  }
}

// bbolt fills pages to the end; what lies there is no sum.
TEST(SumTest, AValueThatLooksLikeASum) {
  const size_t overhead = kHeaderBytes + kElementBytes + 1;
  std::string value(kPageSize - overhead - kSumBytes, 'v');
  value += "Sum1\1\2\3\4";
  EXPECT_EQ(CheckSum(PageWith(value, 1)), SumState::kNone);
  // One that ends before the place of a sum left it to us.
  std::string page = PageWith(value.substr(kSumBytes), 1);
  std::memcpy(page.data() + kPageSize - kSumBytes, "Sum1\1\2\3\4", kSumBytes);
  EXPECT_EQ(CheckSum(page), SumState::kWrong);
}

TEST(SumTest, PagesForBytes) {
  EXPECT_EQ(PagesForBytes(16, 4096), 1u);
  EXPECT_EQ(PagesForBytes(4088, 4096), 1u);
  EXPECT_EQ(PagesForBytes(4089, 4096), 2u);
  EXPECT_EQ(PagesForBytes(4096, 4096), 2u);
  EXPECT_EQ(PagesForBytes(8184, 4096), 2u);
}

TEST(MarkTest, CoversTheMetaAndTheRestOfItsPage) {
  Meta meta;
  meta.page_size = kPageSize;
  EXPECT_EQ(CheckMark(EncodeMeta(meta, 0, false)), SumState::kNone);
  std::string page = EncodeMeta(meta, 0, true);
  EXPECT_EQ(CheckMark(page), SumState::kRight);
  for (size_t i = kHeaderBytes; i < page.size(); ++i) {
    page[i] = static_cast<char>(page[i] ^ 1 << i % 8);
    EXPECT_EQ(CheckMark(page), SumState::kWrong) << i;
    page[i] = static_cast<char>(page[i] ^ 1 << i % 8);
  }
  // What bbolt writes there must be zeros.
  page = EncodeMeta(meta, 0, false);
  page.back() = 1;
  EXPECT_EQ(CheckMark(page), SumState::kWrong);
}

// --- Files. ---

class SumsTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    CHECK_OK(env_.MakeDirs("d"));
    Reopen();
  }

  StatusOr<std::unique_ptr<Backend>> TryOpen(bool accept_one_meta = false) {
    BtreeOptions options;
    options.page_size = kPageSize;
    options.freelist_sync = GetParam();
    options.initial_mmap_bytes = 0;
    options.accept_one_meta = accept_one_meta;
    return OpenDatabase(&env_, kPath, options, Logger::Null(), {});
  }

  void Reopen() {
    backend_.reset();
    auto opened = TryOpen();
    CHECK_OK(opened);
    backend_ = std::move(opened).value();
  }

  // Keys [from, to), on leaves with some of their neighbours.
  Status Put(int from, int to, char letter = 'v') {
    Batch batch;
    for (int i = from; i < to; ++i) {
      batch.Put(Table::kKey, Key(i), std::string(100, letter));
    }
    return backend_->Write(batch);
  }
  static std::string Key(int i) { return std::to_string(1000 + i); }

  StatusOr<std::string> Get(int i) {
    ASSIGN_OR_RETURN(auto view, backend_->NewView());
    ASSIGN_OR_RETURN(auto value, view->Get(Table::kKey, Key(i)));
    return std::string(value.value_or("none"));
  }

  std::string File() {
    auto bytes = ReadFile(&env_, kPath, 64 << 20);
    CHECK_OK(bytes);
    return *bytes;
  }
  void ReplaceFile(const std::string& bytes) {
    backend_.reset();
    CHECK_OK(WriteFileAtomically(&env_, kPath, bytes));
  }
  bool Marked() {
    const std::string file = File();
    const Layout layout = LayoutOf(file);
    return HasMark(file, layout, layout.slot);
  }

  std::vector<std::string> Faults() {
    std::vector<std::string> faults;
    CHECK_OK(backend_->Check(
        [&](const std::string& fault) { faults.push_back(fault); }));
    return faults;
  }
  // A whole pass in steps; the faults it found.
  std::vector<std::string> Scrub(uint64_t step_bytes = 4096) {
    std::vector<std::string> faults;
    for (;;) {
      auto progress = backend_->ScrubStep(
          step_bytes,
          [&](const std::string& fault) { faults.push_back(fault); });
      CHECK_OK(progress);
      if (progress->finished) return faults;
      EXPECT_GE(progress->checked_bytes, step_bytes);
      EXPECT_LT(progress->checked_bytes, step_bytes + 10 * kPageSize);
    }
  }

  // The offset of a leaf of the key table, and of some bytes of a value on it.
  uint64_t ValueOf(int i, uint64_t* page) {
    const std::string file = File();
    const Layout layout = LayoutOf(file);
    for (uint64_t first : FirstPages(layout)) {
      const std::string leaf = file.substr(first * kPageSize, kPageSize);
      const size_t at = leaf.find(Key(i) + "v");
      if (at == std::string::npos || leaf[8] != kLeafPage) continue;
      *page = first;
      return first * kPageSize + at + Key(i).size() + 50;
    }
    ADD_FAILURE() << "no key " << i;
    return 0;
  }

  FakeEnv env_;
  std::unique_ptr<Backend> backend_;
};

INSTANTIATE_TEST_SUITE_P(Freelist, SumsTest, testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "synced" : "scanned";
                         });

std::string PlaceOf(uint64_t page) {
  return "d/db offset " + std::to_string(page * kPageSize) + ": page " +
         std::to_string(page) + ": ";
}

TEST_P(SumsTest, OurFilesHaveTheMark) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Put(i * 20, i * 20 + 40).ok());
    const std::string file = File();
    const Layout layout = LayoutOf(file);
    EXPECT_TRUE(HasMark(file, layout, 0) && HasMark(file, layout, 1));
    for (uint64_t first : FirstPages(layout)) {
      uint64_t end = first;
      while (layout.first_of[end] == first) ++end;
      EXPECT_EQ(CheckSum(std::string_view(file).substr(
                    first * kPageSize, (end - first) * kPageSize)),
                SumState::kRight);
    }
    Reopen();
  }
}

// What would fill its pages to the last byte takes one more.
TEST_P(SumsTest, ValuesThatLeaveNoRoom) {
  const size_t overhead = kHeaderBytes + kElementBytes + Key(0).size();
  for (uint64_t pages = 1; pages <= 3; ++pages) {
    for (int over = -2; over <= static_cast<int>(kSumBytes) + 2; ++over) {
      Batch batch;
      const size_t size = pages * kPageSize - kSumBytes - overhead + over;
      batch.Put(Table::kKey, Key(0), std::string(size, 'v'));
      ASSERT_TRUE(backend_->Write(batch).ok());
      EXPECT_TRUE(Faults().empty());
      const std::string file = File();
      const Layout layout = LayoutOf(file);
      uint64_t longest = 0;
      for (uint64_t first : FirstPages(layout)) {
        const auto header = Load<PageHeader>(file.data() + first * kPageSize);
        longest = std::max<uint64_t>(longest, header.overflow + 1);
      }
      EXPECT_EQ(longest, over > 0 ? pages + 1 : pages) << over;
    }
  }
}

// A file of bbolt gains sums as it is written, and the mark when all have one.
TEST_P(SumsTest, AForeignFileGainsThem) {
  ASSERT_TRUE(Put(0, 200).ok());
  ReplaceFile(WithoutSums(File()));
  Reopen();
  EXPECT_TRUE(Faults().empty());
  ASSERT_TRUE(Put(0, 100).ok());
  ASSERT_TRUE(Put(0, 1).ok());
  EXPECT_FALSE(Marked()) << "half of the leaves are without";
  Reopen();
  ASSERT_TRUE(Put(100, 200).ok());
  ASSERT_TRUE(Put(0, 1).ok());
  if (GetParam()) {
    EXPECT_FALSE(Marked()) << "nobody has read all leaves yet";
    EXPECT_TRUE(Scrub().empty());
    ASSERT_TRUE(Put(0, 1).ok());
  }
  EXPECT_TRUE(Marked());
  ASSERT_TRUE(Put(0, 1).ok());
  Reopen();
  EXPECT_TRUE(Faults().empty());
  EXPECT_TRUE(Marked());
}

// Pages that are still without do not hide behind commits between the steps.
TEST_P(SumsTest, AScrubBetweenCommitsKnowsWhoIsWithout) {
  ASSERT_TRUE(Put(0, 400).ok());
  ReplaceFile(WithoutSums(File()));
  Reopen();
  for (int i = 0; i < 300; ++i) {
    auto progress = backend_->ScrubStep(
        3000, [](const std::string& fault) { ADD_FAILURE() << fault; });
    ASSERT_TRUE(progress.ok());
    ASSERT_TRUE(Put(i, i + 30).ok());
    ASSERT_FALSE(Marked()) << i;
  }
  ASSERT_TRUE(Put(300, 400).ok());
  EXPECT_TRUE(Scrub().empty());
  EXPECT_TRUE(Scrub().empty());
  ASSERT_TRUE(Put(0, 1).ok());
  EXPECT_TRUE(Marked());
  Reopen();
  EXPECT_TRUE(Faults().empty());
}

// In a file that bbolt has written to, sums that are there are checked.
TEST_P(SumsTest, PartlyForeign) {
  ASSERT_TRUE(Put(0, 200).ok());
  uint64_t bare = 0;
  uint64_t summed = 0;
  const uint64_t bare_byte = ValueOf(50, &bare);
  const uint64_t summed_byte = ValueOf(150, &summed);
  std::string file = File();
  const Layout layout = LayoutOf(file);
  ClearSum(&file, layout, bare);
  ReplaceFile(file);
  auto opened = TryOpen();
  if (opened.ok()) {
    backend_ = std::move(opened).value();
    EXPECT_EQ(Get(50).status().code(), Code::kDataLoss);
    EXPECT_EQ(Get(150).status(), Status::Ok());
    EXPECT_EQ(Faults(),
              (std::vector<std::string>{
                  PlaceOf(bare) + "no checksum, but every page had one"}));
  } else {
    EXPECT_FALSE(GetParam());
    EXPECT_EQ(opened.status().message(),
              PlaceOf(bare) + "no checksum, but every page had one");
  }
  ClearMark(&file, layout, layout.slot);  // the other one's does not count
  ReplaceFile(file);
  Reopen();
  EXPECT_EQ(*Get(50), std::string(100, 'v'));
  EXPECT_TRUE(Faults().empty());
  env_.FlipBit(kPath, bare_byte, 0);
  env_.FlipBit(kPath, summed_byte, 0);
  EXPECT_EQ(Faults(),
            (std::vector<std::string>{PlaceOf(summed) + "checksum mismatch"}));
  EXPECT_NE(*Get(50), std::string(100, 'v')) << "nothing can know";
  EXPECT_EQ(Get(150).status().message(), PlaceOf(summed) + "checksum mismatch");
}

// Each meta's mark speaks for its own state.
TEST_P(SumsTest, OneMetaWithoutTheMark) {
  ASSERT_TRUE(Put(0, 200).ok());
  ASSERT_TRUE(Put(0, 1).ok());
  std::string file = File();
  const Layout layout = LayoutOf(file);
  ClearMark(&file, layout, 1 - layout.slot);
  ReplaceFile(file);
  Reopen();
  uint64_t page = 0;
  ValueOf(150, &page);
  EXPECT_TRUE(Faults().empty());
  ASSERT_TRUE(Put(0, 1).ok());
  EXPECT_TRUE(Marked());
  ClearMark(&file, layout, layout.slot);
  ClearSum(&file, layout, page);
  ReplaceFile(file);
  Reopen();
  EXPECT_TRUE(Faults().empty());
}

// --- Damage. ---

TEST_P(SumsTest, AScrubFindsWhatRotsWhileTheFileIsOpen) {
  ASSERT_TRUE(Put(0, 200).ok());
  uint64_t page = 0;
  const uint64_t byte = ValueOf(77, &page);
  EXPECT_TRUE(Scrub().empty());
  EXPECT_TRUE(Get(77).ok());
  env_.FlipBit(kPath, byte, 6);
  EXPECT_TRUE(Get(77).ok()) << "it was found sound before";
  const std::vector<std::string> expected = {PlaceOf(page) +
                                             "checksum mismatch"};
  EXPECT_EQ(Scrub(), expected);
  EXPECT_EQ(Get(77).status().message(), expected[0]);
  EXPECT_TRUE(Get(150).ok());
  EXPECT_EQ(Scrub(), expected) << "each pass again";
  EXPECT_EQ(Faults(), expected);
  env_.FlipBit(kPath, byte, 6);
  EXPECT_TRUE(Scrub().empty());
  EXPECT_TRUE(Get(77).ok());
}

// The pages behind a damaged header are no faults of their own.
TEST_P(SumsTest, AScrubTellsADamagedHeaderOnce) {
  Batch batch;
  batch.Put(Table::kKey, Key(0), std::string(5 * kPageSize, 'x'));
  ASSERT_TRUE(backend_->Write(batch).ok());
  const std::string file = File();
  uint64_t large = 0;
  for (uint64_t first : FirstPages(LayoutOf(file))) {
    if (Load<PageHeader>(file.data() + first * kPageSize).overflow > 0) {
      large = first;
    }
  }
  for (uint64_t byte = 0; byte < kHeaderBytes; ++byte) {
    env_.FlipBit(kPath, large * kPageSize + byte, 0);
    const auto faults = Scrub();
    ASSERT_EQ(faults.size(), 1u) << byte;
    EXPECT_TRUE(faults[0].starts_with(PlaceOf(large)));
    env_.FlipBit(kPath, large * kPageSize + byte, 0);
  }
  env_.FlipBit(kPath, 50, 0);
  ASSERT_EQ(Scrub().size(), 1u);
  ASSERT_EQ(Faults().size(), 1u);
}

TEST_P(SumsTest, ASnapshotWithDamageIsNotGivenOut) {
  ASSERT_TRUE(Put(0, 200).ok());
  uint64_t page = 0;
  const uint64_t byte = ValueOf(77, &page);
  Reopen();
  env_.FlipBit(kPath, byte, 6);
  auto view = backend_->NewView();
  CHECK_OK(view);
  const Status status = backend_->WriteSnapshot(
      **view, [](std::string_view) { return Status::Ok(); });
  EXPECT_EQ(status.message(), PlaceOf(page) + "checksum mismatch");
}

TEST_P(SumsTest, ASnapshotHasTheMarkOfItsState) {
  ASSERT_TRUE(Put(0, 200).ok());
  for (bool marked : {true, false}) {
    if (!marked) ReplaceFile(WithoutSums(File()));
    Reopen();
    auto view = backend_->NewView();
    CHECK_OK(view);
    std::string copy;
    CHECK_OK(backend_->WriteSnapshot(**view, [&](std::string_view piece) {
      copy += piece;
      return Status::Ok();
    }));
    const Layout layout = LayoutOf(copy);
    EXPECT_EQ(HasMark(copy, layout, 0), marked);
    EXPECT_EQ(HasMark(copy, layout, 1), marked);
  }
}

// A commit that meets damage ends all writing, and the file stays as it was.
TEST_P(SumsTest, AWriteThatMeetsDamageIsTheLast) {
  ASSERT_TRUE(Put(0, 200).ok());
  uint64_t page = 0;
  const uint64_t byte = ValueOf(77, &page);
  EXPECT_TRUE(Get(77).ok());
  env_.FlipBit(kPath, byte, 6);
  EXPECT_TRUE(Get(77).ok()) << "it was found sound before";
  EXPECT_TRUE(Put(150, 151, 'v').ok()) << "elsewhere all goes on";
  const std::string before = File();
  const Status status = Put(77, 78);
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_EQ(status.message(), PlaceOf(page) + "checksum mismatch");
  EXPECT_EQ(Put(150, 151), status);
  EXPECT_TRUE(Get(150).ok());
  EXPECT_TRUE(File() == before);
}

TEST_P(SumsTest, OneMetaIsEnoughIfAskedFor) {
  ASSERT_TRUE(Put(0, 200).ok());
  ASSERT_TRUE(Put(0, 200, 'w').ok());
  const std::string file = File();
  const Layout layout = LayoutOf(file);
  for (const bool newest : {true, false}) {
    const int slot = newest ? layout.slot : 1 - layout.slot;
    ReplaceFile(file);
    env_.FlipBit(kPath, slot * uint64_t{kPageSize} + 500, 3);
    const std::string damaged = File();
    EXPECT_EQ(TryOpen().status().code(), Code::kDataLoss);
    auto opened = TryOpen(/*accept_one_meta=*/true);
    CHECK_OK(opened);
    backend_ = std::move(opened).value();
    for (int i = 0; i < 200; ++i) {
      ASSERT_EQ(*Get(i), std::string(100, newest ? 'v' : 'w'));
    }
    EXPECT_EQ(Faults().size(), 1u) << "the other meta";
    EXPECT_TRUE(File() == damaged);
    ASSERT_TRUE(Put(0, 200, 'x').ok());
    EXPECT_TRUE(Faults().empty());
    Reopen();
    EXPECT_EQ(*Get(7), std::string(100, 'x'));
  }
}

}  // namespace
}  // namespace strata::btree
