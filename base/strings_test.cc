#include "base/strings.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

using Parts = std::vector<std::string>;

TEST(Strings, SplitsAtCommas) {
  EXPECT_EQ(SplitCommas("a,b"), Parts({"a", "b"}));
  EXPECT_EQ(SplitCommas("a"), Parts({"a"}));
  EXPECT_EQ(SplitCommas(""), Parts({""}));
  EXPECT_EQ(SplitCommas(",a,"), Parts({"", "a", ""}));
}

TEST(Strings, JoinsWithCommas) {
  EXPECT_EQ(JoinCommas({}), "");
  EXPECT_EQ(JoinCommas({"a"}), "a");
  for (const char* text : {"a,b", "a", ",a,", ",", "a,,b"}) {
    EXPECT_EQ(JoinCommas(SplitCommas(text)), text);
  }
}

TEST(Strings, TheEndOfAPrefixIsAfterAllThatBeginWithIt) {
  const std::string end = PathPrefixEnd("a/b/");
  EXPECT_EQ(end, "a/b0");
  EXPECT_LT(std::string("a/b/\xff\xff"), end);
}

}  // namespace
}  // namespace strata
