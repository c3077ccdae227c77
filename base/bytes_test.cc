#include "base/bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace strata {
namespace {

TEST(Bytes, LittleAndBigEndian) {
  char p[8];
  StoreLittle32(p, 0x01020304);
  EXPECT_EQ(std::string("\4\3\2\1", 4), std::string(p, 4));
  EXPECT_EQ(0x01020304u, LoadLittle32(p));
  EXPECT_EQ(0x04030201u, LoadBig32(p));
  StoreBig64(p, 0x0102030405060708);
  EXPECT_EQ(std::string("\1\2\3\4\5\6\7\10", 8), std::string(p, 8));
  EXPECT_EQ(0x0102030405060708u, LoadBig64(p));
  EXPECT_EQ(0x0201, LoadLittle16(p));
}

TEST(Bytes, Append) {
  std::string out = "x";
  AppendLittle64(&out, 1);
  AppendBig64(&out, 2);
  EXPECT_EQ(std::string("x\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 17), out);
}

TEST(Varint, RoundTripAtEveryLength) {
  for (int bit = 0; bit < 64; ++bit) {
    for (const uint64_t v :
         {uint64_t{1} << bit, (uint64_t{1} << bit) - 1, ~uint64_t{0} << bit}) {
      std::string out;
      AppendVarint64(&out, v);
      out += "rest";
      std::string_view in = out;
      uint64_t back = 0;
      ASSERT_TRUE(ConsumeVarint64(&in, &back));
      EXPECT_EQ(v, back);
      EXPECT_EQ("rest", in);
    }
  }
}

TEST(Varint, KnownBytes) {
  std::string out;
  AppendVarint64(&out, 300);
  EXPECT_EQ("\xac\x02", out);
  out.clear();
  AppendVarint64(&out, UINT64_MAX);
  EXPECT_EQ(std::string(9, '\xff') + "\x01", out);
}

TEST(Varint, CutOrTooLongIsRefused) {
  uint64_t value = 7;
  for (size_t n = 0; n <= 12; ++n) {
    const std::string endless(n, '\x80');
    std::string_view in = endless;
    EXPECT_FALSE(ConsumeVarint64(&in, &value)) << n;
    EXPECT_EQ(n, in.size()) << "nothing is taken";
  }
  const std::string eleven = std::string(10, '\x80') + "\x01";
  std::string_view in = eleven;
  EXPECT_FALSE(ConsumeVarint64(&in, &value));
  EXPECT_EQ(7u, value);
}

TEST(Hex, BothWays) {
  EXPECT_EQ("6b6579", ToHex("key"));
  EXPECT_EQ("00ff", ToHex(std::string("\0\xff", 2)));
  std::string bytes;
  EXPECT_TRUE(FromHex("6B6579", &bytes));
  EXPECT_EQ("key", bytes);
  for (const char* bad : {"6", "6g", "g6", " 6", "6b 6"}) {
    EXPECT_FALSE(FromHex(bad, &bytes)) << bad;
  }
  EXPECT_EQ("key", bytes) << "unchanged";
}

TEST(Hex, Ids) {
  EXPECT_EQ("0", HexId(0));
  EXPECT_EQ("8e9e05c52164694d", HexId(0x8e9e05c52164694d));
  EXPECT_EQ("a0", HexId(160));
}

TEST(Printable, EscapesAndCuts) {
  EXPECT_EQ("plain ~", Printable("plain ~"));
  EXPECT_EQ("a\\x00\\x0a\\xff\\x5c", Printable(std::string("a\0\n\xff\\", 5)));
  EXPECT_EQ("abcd", Printable("abcd", 4));
  EXPECT_EQ("abcd...", Printable("abcde", 4));
  EXPECT_EQ("a...", Printable("a\n", 4)) << "no half escapes";
  EXPECT_EQ("", Printable(""));
}

}  // namespace
}  // namespace strata
