// Every byte of the structure of a file is flipped. Opening it must fail, with
// the file's name and the place, and leave the file as it was; or the database
// must behave as if nothing had happened, or say what it met.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fake_env.h"
#include "engine/btree/cursor.h"
#include "engine/btree/database.h"

namespace strata::btree {
namespace {

constexpr char kPath[] = "d/db";
constexpr uint32_t kPageSize = 1024;
constexpr Table kTables[] = {Table::kKey, Table::kMeta, Table::kMembers};

using Content = std::map<std::pair<Table, std::string>, std::string>;

BtreeOptions Options(bool synced) {
  BtreeOptions options;
  options.page_size = kPageSize;
  options.freelist_sync = synced;
  options.initial_mmap_bytes = 0;
  return options;
}

StatusOr<std::unique_ptr<Backend>> Open(Env* env, bool synced) {
  return OpenDatabase(env, kPath, Options(synced), Logger::Null(), {});
}

// Three levels, values with overflow, inline buckets, free pages.
void MakeFile(Env* env, bool synced) {
  CHECK_OK(env->MakeDirs("d"));
  auto backend = Open(env, synced);
  CHECK_OK(backend);
  Batch batch;
  for (int i = 0; i < 150; ++i) {
    std::string key;
    AppendBig64(&key, i);
    key += std::string(60, 'k');
    batch.Put(Table::kKey, key, std::string(i % 50 == 0 ? 3000 : 90, 'v'));
  }
  batch.Put(Table::kMeta, "consistent_index", "12345678");
  batch.Put(Table::kMembers, "member", "{}");
  CHECK_OK((*backend)->Write(batch));
}

Status ReadAll(Backend* backend, Content* content) {
  ASSIGN_OR_RETURN(auto view, backend->NewView());
  for (Table table : kTables) {
    auto it = view->NewIterator(table);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      (*content)[{table, std::string(it->key())}] = it->value();
    }
    RETURN_IF_ERROR(it->status());
  }
  for (auto& [place, value] : *content) {
    ASSIGN_OR_RETURN(auto got, view->Get(place.first, place.second));
    if (got != value) value = "a get finds something else";
  }
  return Status::Ok();
}

// Changes something on each leaf, so that writes meet the damage too.
Status TouchAll(Backend* backend, const Content& content) {
  Batch batch;
  for (const auto& [place, value] : content) {
    if (place.second.size() % 2 == 0) continue;
    batch.Put(place.first, place.second, value + "x");
  }
  RETURN_IF_ERROR(backend->Write(batch));
  batch.Clear();
  for (const auto& [place, value] : content) {
    batch.Erase(place.first, place.second);
  }
  RETURN_IF_ERROR(backend->Write(batch));
  return backend->Check([](const std::string&) {});
}

class DamageTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    MakeFile(&env_, GetParam());
    auto bytes = ReadFile(&env_, kPath, 64 << 20);
    CHECK_OK(bytes);
    bytes_ = *bytes;
    auto backend = Open(&env_, GetParam());
    CHECK_OK(backend);
    CHECK_OK(ReadAll(backend->get(), &content_));
    ASSERT_EQ(content_.size(), 152u);
    meta_ = Load<Meta>(bytes_.data() + kHeaderBytes);
    Meta other = Load<Meta>(bytes_.data() + kPageSize + kHeaderBytes);
    if (other.tx > meta_.tx) meta_ = other;
    path_ = kPath;
    source_ =
        PageSource(bytes_.data(), kPageSize, PageId(meta_.high_water), &path_);
  }

  // Pages that the newest meta reaches.
  std::vector<PageId> Tree() {
    std::vector<PageId> found;
    AddTree(PageId(meta_.root.root), &found);
    return found;
  }

  void AddTree(PageId id, std::vector<PageId>* found) {
    found->push_back(id);
    auto page = source_.Read(id);
    CHECK_OK(page);
    for (int i = 0; i < page->count(); ++i) {
      Item item;
      CHECK(page->Get(i, &item));
      if (!page->is_leaf()) {
        AddTree(item.child, found);
      } else if (item.flags == kBucketFlag) {
        auto header = Load<BucketHeader>(item.value.data());
        if (header.root != 0) AddTree(PageId(header.root), found);
      }
    }
  }

  enum class Outcome { kRefused, kFoundLater, kHarmless, kOtherContent };

  // Opens the file with one bit flipped.
  Outcome Flip(uint64_t offset, int bit) {
    auto env = env_.AfterPowerLoss(PowerLoss::Everything());
    env->FlipBit(kPath, offset, bit);
    std::string damaged = bytes_;
    damaged[offset] = static_cast<char>(damaged[offset] ^ (1 << bit));
    auto backend = Open(env.get(), GetParam());
    if (!backend.ok()) {
      EXPECT_EQ(backend.status().code(), Code::kDataLoss);
      EXPECT_NE(backend.ToString().find("d/db offset "), std::string::npos)
          << backend.ToString();
      EXPECT_EQ(*ReadFile(env.get(), kPath, 64 << 20), damaged);
      return Outcome::kRefused;
    }
    Content content;
    Status read = ReadAll(backend->get(), &content);
    // Whatever it says, it must come back.
    TouchAll(backend->get(), content_).IgnoreError();
    if (!read.ok()) {
      EXPECT_EQ(read.code(), Code::kDataLoss) << read;
      EXPECT_NE(read.message().find("d/db offset "), std::string::npos);
      return Outcome::kFoundLater;
    }
    return content == content_ ? Outcome::kHarmless : Outcome::kOtherContent;
  }

  bool synced() const { return GetParam(); }

  FakeEnv env_;
  std::string bytes_;
  Content content_;
  Meta meta_;
  std::string path_;
  PageSource source_;
};

INSTANTIATE_TEST_SUITE_P(Freelist, DamageTest, testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "synced" : "scanned";
                         });

TEST_P(DamageTest, Metas) {
  for (uint64_t page : {uint64_t{0}, uint64_t{kPageSize}}) {
    for (uint64_t i = 0; i < kHeaderBytes + sizeof(Meta); ++i) {
      EXPECT_EQ(Flip(page + i, i % 8), Outcome::kRefused) << page + i;
    }
  }
}

// What only a scan of the leaves can find at once is found by the read that
// meets it.
TEST_P(DamageTest, PageHeaders) {
  for (PageId id : Tree()) {
    for (uint64_t i = 0; i < kHeaderBytes; ++i) {
      const Outcome outcome = Flip(id.value() * kPageSize + i, (i + 3) % 8);
      if (outcome == Outcome::kRefused) continue;
      // A longer or shorter page whose elements still fit, or fewer elements:
      // seen only by who compares it with its neighbours.
      EXPECT_TRUE(synced()) << "page " << id << " byte " << i;
      EXPECT_TRUE(outcome == Outcome::kFoundLater || i == 10 || i >= 12)
          << "page " << id << " byte " << i;
    }
  }
}

TEST_P(DamageTest, Elements) {
  uint64_t found = 0;
  uint64_t flips = 0;
  for (PageId id : Tree()) {
    auto page = source_.Read(id);
    ASSERT_TRUE(page.ok());
    for (int i = 0; i < page->count(); i += 1 + page->count() / 2) {
      for (uint64_t b = 0; b < kElementBytes; ++b) {
        const uint64_t offset =
            id.value() * kPageSize + kHeaderBytes + i * kElementBytes + b;
        const Outcome outcome = Flip(offset, (b + i) % 8);
        ++flips;
        found +=
            outcome == Outcome::kRefused || outcome == Outcome::kFoundLater;
        if (outcome == Outcome::kRefused) continue;
        // The sizes of a page's last element have nothing behind them to
        // compare with.
        const bool last_sizes =
            page->is_leaf() && i == page->count() - 1 && b >= 8;
        EXPECT_TRUE(
            last_sizes ||
            (synced() && (page->is_leaf() || outcome == Outcome::kFoundLater)))
            << "page " << id << " element " << i << " byte " << b;
      }
    }
  }
  EXPECT_GT(flips, 500u);
  EXPECT_GT(found, flips * 9 / 10);
}

// The leaf of buckets, with inline buckets in it: every byte.
TEST_P(DamageTest, BucketOfBuckets) {
  const uint64_t start = meta_.root.root * kPageSize;
  for (uint64_t i = 0; i < kPageSize; ++i) {
    Flip(start + i, i % 8);  // its own checks are what counts
  }
}

// Any byte at all, also of keys, values and free pages: never a crash.
TEST_P(DamageTest, AnyByte) {
  for (uint64_t i = 0; i < bytes_.size(); i += 97) Flip(i, i % 8);
}

TEST_P(DamageTest, StoredFreelist) {
  if (!synced()) return;
  for (uint64_t i = 0; i < kHeaderBytes + 16; ++i) {
    Flip(meta_.freelist * kPageSize + i, i % 8);
  }
  EXPECT_EQ(Flip(meta_.freelist * kPageSize, 0), Outcome::kRefused);
  EXPECT_EQ(Flip(meta_.freelist * kPageSize + 8, 0), Outcome::kRefused);
}

TEST_P(DamageTest, CutShort) {
  for (uint64_t size = 0; size < meta_.high_water * kPageSize; size += 777) {
    auto env = env_.AfterPowerLoss(PowerLoss::Everything());
    {
      auto file = env->Open(kPath, OpenMode::kReadWrite);
      CHECK_OK(file);
      CHECK_OK((*file)->Resize(size));
    }
    auto backend = Open(env.get(), synced());
    EXPECT_EQ(backend.status().code(), Code::kDataLoss) << size;
    EXPECT_NE(backend.ToString().find("d/db offset "), std::string::npos);
    EXPECT_EQ(ReadFile(env.get(), kPath, 64 << 20)->size(), size);
  }
}

TEST_P(DamageTest, NoDatabaseAtAll) {
  for (const std::string& bytes :
       {std::string(100000, 'x'), std::string(100000, '\0'),
        std::string("SQLite format 3\0", 16) + std::string(9000, '\1')}) {
    auto env = env_.AfterPowerLoss(PowerLoss::Everything());
    CHECK_OK(WriteFileAtomically(env.get(), kPath, bytes));
    EXPECT_EQ(Open(env.get(), synced()).status().code(), Code::kDataLoss);
    EXPECT_EQ(*ReadFile(env.get(), kPath, 64 << 20), bytes);
  }
}

}  // namespace
}  // namespace strata::btree
