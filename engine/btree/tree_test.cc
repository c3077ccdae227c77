#include "engine/btree/tree.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/btree/checker.h"
#include "engine/btree/image.h"
#include "engine/btree/sum.h"
#include "engine/btree/transaction.h"

namespace strata::btree {
namespace {

constexpr uint32_t kPageSize = 1024;

using Rows = std::map<std::string, std::string>;

// A file in memory, changed by transactions.
class Memory {
 public:
  Memory() : bytes_(EmptyImage(kPageSize)), freelist_(FreelistType::kMap) {
    CHECK(DecodeMeta(bytes_.data() + kPageSize, 1, &meta_).empty());
    meta_.freelist = kNoFreelist;
    freelist_.Free(TxId(1), {PageId(2), 1});
  }

  // Puts every row whose value is there, erases the others.
  Status Change(std::string_view bucket,
                const std::map<std::string, std::optional<std::string>>& rows) {
    return ChangeOn(source(), bucket, rows);
  }
  // The same with the pages read from elsewhere.
  Status ChangeOn(
      const PageSource& source, std::string_view bucket,
      const std::map<std::string, std::optional<std::string>>& rows) {
    CHECK(freelist_.Release({TxId(meta_.tx)}));
    Transaction tx(source, meta_, &freelist_, &buffers_, {});
    std::vector<btree::Change> changes;
    for (const auto& [key, value] : rows) {
      changes.push_back({.key = key,
                         .value = value ? std::string_view(*value) : "",
                         .erase = !value});
    }
    SortChanges(&changes);
    Status status = Commit(&tx, tx.Apply(bucket, changes));
    if (!status.ok()) freelist_.Rollback(tx.id());
    return status;
  }

  Rows Read(std::string_view name) {
    const PageSource pages = source();
    auto bucket = FindBucket(pages, PageId(meta_.root.root), name);
    CHECK_OK(bucket);
    Cursor cursor(&pages, &*bucket);
    Rows rows;
    for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
      rows.emplace(cursor.key(), cursor.value());
    }
    CHECK_OK(cursor.status());
    return rows;
  }

  void ExpectSound() {
    Checker checker(source(), meta_, CheckDepth::kStrict, [](const Status& s) {
      ADD_FAILURE() << s;
      return true;
    });
    checker.Walk();
    std::vector<PageRun> free;
    EXPECT_TRUE(freelist_.All(&free));
    checker.CompareFreelist(free);
  }

  // Puts an element with kBucketFlag into a bucket, as another program may.
  Status Nest(std::string_view bucket, const std::string& key) {
    std::string value(sizeof(BucketHeader) + kHeaderBytes, '\0');
    value[sizeof(BucketHeader) + 8] = kLeafPage;
    Transaction tx(source(), meta_, &freelist_, &buffers_, {});
    return Commit(
        &tx,
        tx.Apply(bucket, {{.key = key, .value = value, .flags = kBucketFlag}}));
  }

  PageSource source() {
    return PageSource(bytes_.data(), kPageSize, PageId(meta_.high_water),
                      &path_);
  }
  Bucket bucket(std::string_view name) {
    return *FindBucket(source(), PageId(meta_.root.root), name);
  }
  const std::string& bytes() const { return bytes_; }
  size_t runs_written() const { return runs_written_; }  // by the last change
  uint64_t high_water() const { return meta_.high_water; }
  uint64_t tx() const { return meta_.tx; }

 private:
  Status Commit(Transaction* tx, Status applied) {
    RETURN_IF_ERROR(applied);
    ASSIGN_OR_RETURN(bool changed, tx->Finish());
    if (!changed) return Status::Ok();
    std::string bytes = bytes_;
    bytes.resize(tx->meta().high_water * kPageSize);
    for (const DirtyRun& run : tx->dirty()) {
      bytes.replace(run.first.value() * kPageSize, run.bytes.size(), run.bytes);
    }
    meta_ = tx->meta();
    bytes_ = std::move(bytes);
    runs_written_ = tx->dirty().size();
    freelist_.Commit();
    return Status::Ok();
  }

  const std::string path_ = "memory";
  size_t runs_written_ = 0;
  std::string bytes_;
  Meta meta_;
  Freelist freelist_;
  PageBuffers buffers_;
};

std::string Key(int i) { return "key" + std::to_string(10000 + i); }

std::map<std::string, std::optional<std::string>> Range(
    int from, int to, std::optional<std::string> value) {
  std::map<std::string, std::optional<std::string>> rows;
  for (int i = from; i < to; ++i) rows[Key(i)] = value;
  return rows;
}

TEST(TreeTest, SmallBucketsAreInline) {
  Memory memory;
  ASSERT_TRUE(memory.Change("b", Range(0, 3, "v")).ok());
  EXPECT_EQ(memory.bucket("b").root, 0u);
  ASSERT_TRUE(memory.Change("b", Range(3, 100, "v")).ok());
  EXPECT_NE(memory.bucket("b").root, 0u);
  EXPECT_EQ(memory.Read("b").size(), 100u);
  ASSERT_TRUE(memory.Change("b", Range(2, 100, std::nullopt)).ok());
  EXPECT_EQ(memory.bucket("b").root, 0u);
  EXPECT_EQ(memory.Read("b"), (Rows{{Key(0), "v"}, {Key(1), "v"}}));
  memory.ExpectSound();
}

TEST(TreeTest, AppendsFillTheirPages) {
  Memory memory;
  for (int i = 0; i < 3000; i += 10) {
    ASSERT_TRUE(memory.Change("b", Range(i, i + 10, "0123456789")).ok());
  }
  memory.ExpectSound();
  // 34 bytes each; 0.9 of a page, and branches.
  EXPECT_LT(memory.high_water(), 3000 * 34 / (kPageSize * 9 / 10) * 12 / 10);
}

TEST(TreeTest, ErasedPagesJoin) {
  Memory memory;
  ASSERT_TRUE(memory.Change("b", Range(0, 3000, "0123456789")).ok());
  std::map<std::string, std::optional<std::string>> most;
  for (int i = 0; i < 3000; ++i) {
    if (i % 50 != 0) most[Key(i)] = std::nullopt;
  }
  ASSERT_TRUE(memory.Change("b", most).ok());
  EXPECT_EQ(memory.Read("b").size(), 60u);
  memory.ExpectSound();
  auto root = memory.source().Read(PageId(memory.bucket("b").root));
  ASSERT_TRUE(root.ok());
  EXPECT_LE(root->count(), 5);
}

// Only what a transaction touches is written.
TEST(TreeTest, ErasingWhatIsNotThereWritesNothing) {
  Memory memory;
  ASSERT_TRUE(memory.Change("b", Range(0, 1000, "v")).ok());
  const uint64_t tx = memory.tx();
  ASSERT_TRUE(memory.Change("b", Range(5000, 5100, std::nullopt)).ok());
  ASSERT_TRUE(memory.Change("none", Range(0, 10, std::nullopt)).ok());
  EXPECT_EQ(memory.tx(), tx);
  EXPECT_FALSE(memory.bucket("none").exists);
}

TEST(TreeTest, ABranchNeverHasOneChild) {
  for (int keep = 0; keep < 3000; keep += 97) {
    Memory memory;
    ASSERT_TRUE(memory.Change("b", Range(0, 3000, "0123456789")).ok());
    auto all_but_one = Range(0, 3000, std::nullopt);
    all_but_one.erase(Key(keep));
    ASSERT_TRUE(memory.Change("b", all_but_one).ok());
    memory.ExpectSound();
    EXPECT_EQ(memory.Read("b"), (Rows{{Key(keep), "0123456789"}}));
  }
}

// Long keys make deep trees whose branches overflow a page.
TEST(TreeTest, RandomWithLongKeys) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    Memory memory;
    Rows model;
    Random random(seed);
    const uint64_t long_key = seed % 2 == 0 ? 2000 : 300;
    for (int step = 0; step < 150; ++step) {
      std::map<std::string, std::optional<std::string>> rows;
      const uint64_t changes = random.Below(step % 20 == 0 ? 300 : 20);
      const bool erasing = step / 25 % 2 == 1;
      for (uint64_t i = 0; i < changes; ++i) {
        const uint64_t number = random.Below(300);
        std::string key = Key(static_cast<int>(number)) +
                          std::string(number * 7 % long_key, 'k');
        if (random.OneIn(erasing ? 1 : 4)) {
          rows[key] = std::nullopt;
          model.erase(key);
        } else {
          rows[key] = std::string(random.Below(200), 'v');
          model[key] = *rows[key];
        }
      }
      ASSERT_TRUE(memory.Change("b", rows).ok());
      ASSERT_EQ(memory.Read("b"), model) << "seed " << seed << " step " << step;
      memory.ExpectSound();
      if (HasFailure()) return;
    }
  }
}

TEST(TreeTest, OtherBucketsStay) {
  Memory memory;
  ASSERT_TRUE(memory.Change("unknown", Range(0, 500, "v")).ok());
  ASSERT_TRUE(memory.Change("small", Range(0, 2, "v")).ok());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(memory.Change("b", Range(i, i + 50, "v")).ok());
    ASSERT_TRUE(memory.Change("b", Range(i, i + 30, std::nullopt)).ok());
  }
  EXPECT_EQ(memory.Read("unknown").size(), 500u);
  EXPECT_EQ(memory.Read("small").size(), 2u);
  memory.ExpectSound();
}

// A bucket in a bucket is no value: not read, not walked over, not replaced.
TEST(TreeTest, NestedBucketsAreLeftAlone) {
  Memory memory;
  ASSERT_TRUE(memory.Change("b", Range(0, 4, "v")).ok());
  ASSERT_TRUE(memory.Nest("b", "key10001a").ok());
  memory.ExpectSound();
  EXPECT_EQ(memory.Read("b").size(), 4u);
  EXPECT_NE(memory.bucket("b").root, 0u) << "cannot be inline";
  for (std::optional<std::string> value :
       {std::optional<std::string>("v"), std::optional<std::string>()}) {
    EXPECT_EQ(memory.Change("b", {{"key10001a", value}}).code(),
              Code::kFailedPrecondition);
  }
  ASSERT_TRUE(memory.Change("b", Range(0, 200, "v")).ok());
  ASSERT_TRUE(memory.Change("b", Range(0, 200, std::nullopt)).ok());
  memory.ExpectSound();
  EXPECT_EQ(memory.Read("b").size(), 0u);
  EXPECT_NE(memory.bucket("b").root, 0u);
}

// What continues a leaf page is values alone. Whole leaves go without a look at
// it, and without a page written for each of them.
TEST(TreeTest, LeavesGoWithoutTheirValuesBeingRead) {
  constexpr uint64_t kUnit = 4096;  // of protection
  Memory memory;
  ASSERT_TRUE(memory.Change("b", Range(0, 200, std::string(20000, 'v'))).ok());
  const size_t size = (memory.bytes().size() + kUnit - 1) / kUnit * kUnit;
  auto* const pages = static_cast<char*>(std::aligned_alloc(kUnit, size));
  memory.bytes().copy(pages, size);
  // Closed: all memory between the page that begins a leaf and the next.
  const PageSource source = memory.source();
  int closed = 0;
  for (PageId id(2); id < source.high_water();) {
    const uint64_t count = uint64_t{source.header(id).overflow} + 1;
    const uint64_t begin =
        ((id.value() + 1) * kPageSize + kUnit - 1) / kUnit * kUnit;
    const uint64_t end = (id.value() + count) * kPageSize / kUnit * kUnit;
    if (begin < end) {
      ++closed;
      ASSERT_EQ(mprotect(pages + begin, end - begin, PROT_NONE), 0);
    }
    id = id + count;
  }
  EXPECT_EQ(closed, 200);
  const std::string path = "closed";
  const PageSource closed_source(pages, kPageSize, PageId(memory.high_water()),
                                 &path);
  const Status changed =
      memory.ChangeOn(closed_source, "b", Range(10, 190, std::nullopt));
  EXPECT_TRUE(changed.ok()) << changed;
  ASSERT_EQ(mprotect(pages, size, PROT_READ | PROT_WRITE), 0);
  std::free(pages);
  EXPECT_LE(memory.runs_written(), 4u);
  EXPECT_EQ(memory.Read("b").size(), 20u);
  memory.ExpectSound();
}

// --- Nodes. ---

Node LeafOf(const std::vector<std::string>& values) {
  Node node;
  for (const std::string& value : values) {
    node.items.push_back({0, "key", value, {}});
  }
  return node;
}

std::vector<size_t> PieceSizes(Node node, double fill) {
  std::vector<size_t> sizes;
  for (const Node& piece : Split(std::move(node), kPageSize, fill)) {
    sizes.push_back(piece.items.size());
  }
  return sizes;
}

TEST(SplitTest, AFullPageStaysWhole) {
  const std::vector<std::string> values(8, std::string(106, 'v'));  // 125 each
  EXPECT_EQ(NodeBytes(LeafOf(values)), kPageSize - kSumBytes);
  EXPECT_EQ(PieceSizes(LeafOf(values), 0.5), (std::vector<size_t>{8}));
  EXPECT_EQ(PieceSizes(LeafOf(values), 1), (std::vector<size_t>{8}));
}

// The place of the sum is not filled.
TEST(SplitTest, AByteMoreThanFitsBesideTheSum) {
  std::vector<std::string> values(8, std::string(106, 'v'));
  values.back() += 'v';
  EXPECT_EQ(PieceSizes(LeafOf(values), 1), (std::vector<size_t>{7, 1}));
}

TEST(SplitTest, PiecesAreFilledAsTold) {
  const std::vector<std::string> values(20, std::string(81, 'v'));  // 100 each
  EXPECT_EQ(PieceSizes(LeafOf(values), 0.9), (std::vector<size_t>{9, 9, 2}));
  EXPECT_EQ(PieceSizes(LeafOf(values), 0.5), (std::vector<size_t>{4, 4, 4, 8}));
}

TEST(SplitTest, LargeValuesStandAlone) {
  const std::string large(5000, 'v');
  EXPECT_EQ(PieceSizes(LeafOf({"a", "b", large, "c", large, large}), 0.9),
            (std::vector<size_t>{2, 1, 1, 1, 1}));
  EXPECT_EQ(PieceSizes(LeafOf({large}), 0.9), (std::vector<size_t>{1}));
}

TEST(SplitTest, BranchesKeepTwoChildren) {
  const std::string key(900, 'k');
  Node node;
  node.leaf = false;
  for (int i = 0; i < 5; ++i) node.items.push_back({0, key, "", PageId(9)});
  EXPECT_EQ(PieceSizes(std::move(node), 0.9), (std::vector<size_t>{2, 3}));
}

}  // namespace
}  // namespace strata::btree
