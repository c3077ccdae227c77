#include "engine/btree/image.h"

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "engine/btree/checker.h"
#include "engine/mem_backend.h"

namespace strata::btree {
namespace {

std::string ImageOf(Backend* backend) {
  auto view = backend->NewView();
  CHECK_OK(view);
  std::string image;
  CHECK_OK(WriteImage(view->get(), 4096, [&](std::string_view piece) {
    image += piece;
    return Status::Ok();
  }));
  return image;
}

std::string HexAt(const std::string& image, size_t offset, size_t size) {
  return ToHex(std::string_view(image).substr(offset, size));
}

// The bytes of format.md.
TEST(ImageTest, WorkedExample) {
  auto backend = NewMemBackend();
  std::string key;
  AppendBig64(&key, 2);
  key += '_';
  AppendBig64(&key, 0);
  Batch batch;
  batch.Put(Table::kKey, key, "v");
  ASSERT_TRUE(backend->Write(batch).ok());
  const std::string image = ImageOf(backend.get());
  ASSERT_EQ(image.size(), 5u * 4096);
  EXPECT_EQ(HexAt(image, 0, 80),
            "00000000000000000400000000000000"
            "edda0ced020000000010000000000000"
            "04000000000000000000000000000000"
            "ffffffffffffffff0500000000000000"
            "02000000000000008075b171d1997629");
  EXPECT_EQ(HexAt(image, 0x50, 8), "416c6c3125c26d9d");
  EXPECT_EQ(HexAt(image, 0x1050, 8), "416c6c31102dbc4a");
  EXPECT_EQ(HexAt(image, 0x4ff8, 8), "53756d310a118813");
  EXPECT_EQ(HexAt(image, 0x4000, 32),
            "040000000000000002000a0000000000"
            "01000000a00000000500000020000000");
  EXPECT_EQ(HexAt(image, 0x4060, 16), "01000000120100000300000042000000");
  EXPECT_EQ(HexAt(image, 0x4172, 3 + 16 + 16),
            "6b6579"
            "00000000000000000000000000000000"
            "00000000000000000200010000000000");
  EXPECT_EQ(HexAt(image, 0x4195, 16 + 18),
            "00000000100000001100000001000000"
            "00000000000000025f000000000000000076");
}

TEST(ImageTest, EmptyImageIsWhatBboltMakes) {
  const std::string image = EmptyImage(4096);
  ASSERT_EQ(image.size(), 4u * 4096);
  for (int slot = 0; slot < 2; ++slot) {
    Meta meta;
    EXPECT_EQ(DecodeMeta(image.data() + slot * 4096, slot, &meta), "");
    EXPECT_EQ(meta.tx, static_cast<uint64_t>(slot));
    EXPECT_EQ(meta.freelist, 2u);
    EXPECT_EQ(meta.root.root, 3u);
    EXPECT_EQ(meta.high_water, 4u);
  }
  EXPECT_EQ(HexAt(image, 2 * 4096, 16), "02000000000000001000000000000000");
  EXPECT_EQ(HexAt(image, 3 * 4096, 16), "03000000000000000200000000000000");
}

TEST(ImageTest, LargeImagesAreSound) {
  auto backend = NewMemBackend();
  Batch batch;
  for (int i = 0; i < 5000; ++i) {
    batch.Put(Table::kKey, "key" + std::to_string(100000 + i),
              std::string(i % 700, 'v'));
  }
  ASSERT_TRUE(backend->Write(batch).ok());
  const std::string image = ImageOf(backend.get());
  Meta meta;
  ASSERT_EQ(DecodeMeta(image.data(), 0, &meta), "");
  const std::string path = "image";
  PageSource source(image.data(), 4096, PageId(meta.high_water), &path);
  Checker checker(source, meta, CheckDepth::kStrict, [](const Status& fault) {
    ADD_FAILURE() << fault;
    return true;
  });
  checker.Walk();
  EXPECT_EQ(checker.Unreached(), (std::vector<PageRun>{{PageId(2), 2}}));
}

}  // namespace
}  // namespace strata::btree
