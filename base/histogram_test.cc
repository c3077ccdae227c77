#include "base/histogram.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

constexpr auto kBounds = DoublingBounds<3>(0.5);

TEST(HistogramTest, CountsByBounds) {
  Histogram histogram(kBounds);
  for (const double value : {0.0, 0.5, 0.6, 1.0, 2.0, 2.1, 100.0}) {
    histogram.Add(value);
  }
  const HistogramValue read = histogram.Read();
  EXPECT_EQ(read.counts, (std::vector<uint64_t>{2, 2, 1, 2}));
  EXPECT_DOUBLE_EQ(read.sum, 106.2);
  EXPECT_EQ(read.bounds.size(), 3U);
  EXPECT_DOUBLE_EQ(read.bounds[2], 2.0);
}

TEST(HistogramTest, Units) {
  Histogram histogram(kBounds);
  histogram.AddSeconds(std::chrono::milliseconds(1500));
  EXPECT_DOUBLE_EQ(histogram.Read().sum, 1.5);
  histogram.AddMilliseconds(std::chrono::microseconds(500));
  EXPECT_DOUBLE_EQ(histogram.Read().sum, 2.0);
  EXPECT_EQ(histogram.Read().counts, (std::vector<uint64_t>{1, 0, 1, 0}));
}

TEST(HistogramTest, Bump) {
  std::atomic<uint64_t> count{3};
  Bump(&count);
  Bump(&count, 5);
  EXPECT_EQ(count, 9U);
}

}  // namespace
}  // namespace strata
