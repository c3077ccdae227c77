#include "cmd/utl/output.h"

#include <gtest/gtest.h>

#include <sstream>

namespace strata::utl {
namespace {

TEST(OutputTest, Base64) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foo"), "Zm9v");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64(std::string("\x00\xff\x10", 3)), "AP8Q");
}

TEST(OutputTest, HumanBytes) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(9), "9 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1000), "1.0 kB");
  EXPECT_EQ(HumanBytes(20480), "20 kB");
  EXPECT_EQ(HumanBytes(24576), "25 kB");
  EXPECT_EQ(HumanBytes(9949), "9.9 kB");
  EXPECT_EQ(HumanBytes(2100000000), "2.1 GB");
}

TEST(OutputTest, TableAsEtcdctlDrawsIt) {
  EXPECT_EQ(DrawTable({"hash", "revision"}, {{"5c94c7b", "8"}}),
            "+---------+----------+\n"
            "|  HASH   | REVISION |\n"
            "+---------+----------+\n"
            "| 5c94c7b |        8 |\n"
            "+---------+----------+\n");
}

TEST(OutputTest, BytesThatAreNoTextStayOneLine) {
  EXPECT_EQ(Dump(Json{{"a", "\xff\n"}}), "{\"a\":\"\xef\xbf\xbd\\n\"}");
}

TEST(OutputTest, RowsLeaveOutWhatIsNotThere) {
  std::ostringstream out;
  Context context;
  context.out = &out;
  context.format = Format::kJson;
  Rows rows(context, {{"a"}, {"b"}});
  rows.Add({1, nullptr});
  rows.Add({nullptr, "x"});
  rows.Finish();
  EXPECT_EQ(out.str(), "{\"a\":1}\n{\"b\":\"x\"}\n");
}

}  // namespace
}  // namespace strata::utl
