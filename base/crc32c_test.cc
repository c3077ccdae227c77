#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace strata::crc32c {
namespace {

struct Vector {
  std::string data;
  uint32_t crc;
};

std::string Ascending() {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

std::string Descending() {
  const std::string up = Ascending();
  return std::string(up.rbegin(), up.rend());
}

// RFC 3720, B.4, and the check value of the CRC catalogue.
const Vector kVectors[] = {
    {"", 0},
    {"123456789", 0xe3069283},
    {std::string(32, '\0'), 0x8a9136aa},
    {std::string(32, '\xff'), 0x62a8ab43},
    {Ascending(), 0x46dd794e},
    {Descending(), 0x113fdb5c},
};

TEST(Crc32c, KnownVectors) {
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(vector.crc, Value(vector.data));
    EXPECT_EQ(vector.crc, ExtendPortable(0, vector.data));
  }
}

TEST(Crc32c, BothFormsAgreeAtEveryLengthAndAlignment) {
  Random random(1);
  std::string bytes;
  for (int i = 0; i < 4096 + 64; ++i) {
    bytes.push_back(static_cast<char>(random.Next()));
  }
  const std::string_view view = bytes;
  for (size_t start = 0; start < 16; ++start) {
    for (size_t size = 0; size < 200; ++size) {
      const auto piece = view.substr(start, size);
      ASSERT_EQ(ExtendPortable(7, piece), Extend(7, piece));
    }
    for (const size_t size : {767, 768, 769, 1535, 1536, 4096}) {
      const auto piece = view.substr(start, size);
      ASSERT_EQ(ExtendPortable(7, piece), Extend(7, piece)) << size;
    }
  }
}

TEST(Crc32c, ExtendContinues) {
  const std::string text = "a log is a chain of sums";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const uint32_t first = Value(std::string_view(text).substr(0, cut));
    EXPECT_EQ(Value(text), Extend(first, std::string_view(text).substr(cut)));
  }
}

}  // namespace
}  // namespace strata::crc32c
