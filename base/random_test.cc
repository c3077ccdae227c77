#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace strata {
namespace {

// From the authors' C code. A change here would make every recorded seed mean
// something else.
TEST(Random, TheNumbersAreFixed) {
  Random zero(0);
  EXPECT_EQ(0x99ec5f36cb75f2b4u, zero.Next());
  EXPECT_EQ(0xbf6e1f784956452au, zero.Next());
  EXPECT_EQ(0x1a5f849d4933e6e0u, zero.Next());
}

TEST(Random, BelowAndBetweenKeepTheirBounds) {
  Random random(1);
  std::set<uint64_t> below;
  std::set<uint64_t> between;
  for (int i = 0; i < 1000; ++i) {
    below.insert(random.Below(7));
    between.insert(random.Between(10, 13));
  }
  EXPECT_EQ((std::set<uint64_t>{0, 1, 2, 3, 4, 5, 6}), below);
  EXPECT_EQ((std::set<uint64_t>{10, 11, 12, 13}), between);
  EXPECT_EQ(0u, random.Below(1));
  EXPECT_EQ(5u, random.Between(5, 5));
  random.Between(0, UINT64_MAX);
}

TEST(Random, LargeBoundsAreEvenlyHit) {
  // With a plain remainder the lower half would be hit twice as often.
  Random random(2);
  const uint64_t bound = UINT64_MAX / 3 * 2;
  int low = 0;
  for (int i = 0; i < 10000; ++i) low += random.Below(bound) < bound / 2;
  EXPECT_NEAR(5000, low, 250);
}

TEST(Random, FractionAndOneIn) {
  Random random(3);
  double sum = 0;
  int ones = 0;
  for (int i = 0; i < 10000; ++i) {
    const double f = random.Fraction();
    ASSERT_GE(f, 0);
    ASSERT_LT(f, 1);
    sum += f;
    ones += random.OneIn(10);
  }
  EXPECT_NEAR(5000, sum, 150);
  EXPECT_NEAR(1000, ones, 150);
}

TEST(Random, SystemSeedsDiffer) {
  EXPECT_NE(Random::SeedFromSystem(), Random::SeedFromSystem());
}

TEST(RandomDeathTest, NothingIsBelowZero) {
  EXPECT_DEATH(Random(1).Below(0), "bound > 0");
  EXPECT_DEATH(Random(1).Between(2, 1), "2..1");
}

}  // namespace
}  // namespace strata
