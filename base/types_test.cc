#include "base/types.h"

#include <gtest/gtest.h>

#include <concepts>
#include <sstream>
#include <type_traits>
#include <unordered_set>

namespace strata {
namespace {

// Numbers of different kinds do not mix, nor become one by themselves.
static_assert(!std::is_convertible_v<uint64_t, LogIndex>);
static_assert(!std::is_convertible_v<LogIndex, uint64_t>);
static_assert(!std::is_constructible_v<LogIndex, Term>);
static_assert(!std::equality_comparable_with<LogIndex, Term>);
static_assert(!std::equality_comparable_with<Revision, int64_t>);
static_assert(!std::is_assignable_v<LogIndex&, Term>);
static_assert(sizeof(Revision) == sizeof(int64_t));
static_assert(std::is_trivially_copyable_v<MemberId>);

TEST(TaggedInt, OrderAndArithmetic) {
  LogIndex index(7);
  EXPECT_EQ(LogIndex(8), index + 1);
  EXPECT_EQ(LogIndex(5), index - 2);
  EXPECT_EQ(3u, LogIndex(10) - index);
  EXPECT_LT(index, LogIndex(8));
  EXPECT_EQ(LogIndex(8), ++index);
  EXPECT_EQ(LogIndex(7), --index);
  EXPECT_EQ(7u, index.value());
  EXPECT_EQ(0, Revision().value());
  EXPECT_EQ(-1, Revision(1) - Revision(2));
}

TEST(TaggedInt, HashAndPrint) {
  const std::unordered_set<Term> terms = {Term(1), Term(2), Term(1)};
  EXPECT_EQ(2u, terms.size());
  std::ostringstream out;
  out << Revision(-3);
  EXPECT_EQ("-3", out.str());
}

}  // namespace
}  // namespace strata
