#include "engine/btree/meta.h"

#include <gtest/gtest.h>

#include "engine/btree/image.h"

namespace strata::btree {
namespace {

class MetaTest : public testing::Test {
 protected:
  void SetUp() override { Write(EmptyImage(4096)); }

  void Write(const std::string& bytes) {
    CHECK_OK(WriteFileAtomically(Env::Posix(), path_, bytes));
    auto opened = Env::Posix()->Open(path_, OpenMode::kReadWrite);
    CHECK_OK(opened);
    file_ = std::move(opened).value();
    bytes_ = bytes.size();
  }

  void Flip(uint64_t offset) {
    char byte = 0;
    CHECK_OK(file_->ReadAt(offset, 1, &byte));
    byte ^= 0x10;
    CHECK_OK(file_->WriteAt(offset, std::string_view(&byte, 1)));
  }

  StatusOr<FoundMeta> Read(bool accept_one = false) {
    return ReadMetas(*file_, bytes_, accept_one);
  }

  const std::string path_ = testing::TempDir() + "/meta_test.db";
  std::unique_ptr<File> file_;
  uint64_t bytes_ = 0;
};

// The sum in a file that etcd 3.4.23 wrote.
TEST_F(MetaTest, ChecksumIsBbolts) {
  Meta meta;
  meta.page_size = 4096;
  meta.root.root = 2;
  meta.high_water = 5;
  meta.tx = 10;
  EXPECT_EQ(MetaChecksum(meta), 0xf526319cae11114e);
}

TEST_F(MetaTest, TheNewerCounts) {
  auto found = Read();
  ASSERT_TRUE(found.ok()) << found.ToString();
  EXPECT_EQ(found->slot, 1);
  EXPECT_EQ(found->meta.tx, 1u);
}

// bbolt's own copies have the newer meta in either slot.
TEST_F(MetaTest, TheNewerMayBeInEitherSlot) {
  Meta meta;
  meta.page_size = 4096;
  meta.root.root = 3;
  meta.high_water = 4;
  meta.tx = 7;
  CHECK_OK(file_->WriteAt(0, EncodeMeta(meta, 0, false)));
  auto found = Read();
  ASSERT_TRUE(found.ok()) << found.ToString();
  EXPECT_EQ(found->slot, 0);
  EXPECT_EQ(found->meta.tx, 7u);
}

TEST_F(MetaTest, EveryByteIsLookedAt) {
  for (uint64_t page : {0, 4096}) {
    for (uint64_t i = 0; i < 80; ++i) {
      Flip(page + i);
      auto found = Read();
      EXPECT_EQ(found.status().code(), Code::kDataLoss) << page + i;
      EXPECT_NE(found.status().message().find(path_ + " offset " +
                                              std::to_string(page) + ": "),
                std::string::npos)
          << found.ToString();
      auto one = Read(/*accept_one=*/true);
      ASSERT_TRUE(one.ok()) << one.ToString();
      EXPECT_EQ(one->slot, page == 0 ? 1 : 0);
      Flip(page + i);
    }
  }
  EXPECT_TRUE(Read().ok());
}

TEST_F(MetaTest, BothBad) {
  Flip(16);
  Flip(4096 + 16);
  EXPECT_EQ(Read().status().code(), Code::kDataLoss);
  EXPECT_EQ(Read(/*accept_one=*/true).status().code(), Code::kDataLoss);
}

TEST_F(MetaTest, AnyPageSize) {
  for (uint32_t size = kMinPageSize; size <= kMaxPageSize; size *= 2) {
    Write(EmptyImage(size));
    auto found = Read();
    ASSERT_TRUE(found.ok()) << found.ToString();
    EXPECT_EQ(found->meta.page_size, size);
    Flip(0);
    found = Read(/*accept_one=*/true);
    ASSERT_TRUE(found.ok()) << found.ToString();
    EXPECT_EQ(found->meta.page_size, size);
  }
}

TEST_F(MetaTest, NoDatabase) {
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string(4096, 'x'),
        std::string(4096, '\0'), std::string(100000, 'x'),
        EmptyImage(4096).substr(0, 80), EmptyImage(4096).substr(0, 4100)}) {
    Write(bytes);
    EXPECT_EQ(Read().status().code(), Code::kDataLoss) << bytes.size();
  }
}

}  // namespace
}  // namespace strata::btree
