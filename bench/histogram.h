#ifndef STRATA_BENCH_HISTOGRAM_H_
#define STRATA_BENCH_HISTOGRAM_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace strata::bench {

// Counts of times in nanoseconds, to 1.6 % (64 steps for each doubling). A
// value type; used by one thread, merged afterwards.
class Histogram {
 public:
  Histogram() : counts_(kBuckets) {}

  void Add(uint64_t nanoseconds) {
    ++counts_[Bucket(nanoseconds)];
    ++total_;
    max_ = std::max(max_, nanoseconds);
  }
  void Merge(const Histogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    max_ = std::max(max_, other.max_);
  }
  uint64_t total() const { return total_; }
  uint64_t max() const { return max_; }

  // The time below which `fraction` of them are; 0 if there are none.
  uint64_t Quantile(double fraction) const {
    const auto rank = static_cast<uint64_t>(fraction * total_);
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen > rank) return Middle(i);
    }
    return 0;
  }

 private:
  static constexpr int kStepBits = 6;
  static constexpr size_t kSteps = size_t{1} << kStepBits;
  static constexpr size_t kBuckets = (64 - kStepBits + 1) * kSteps;

  // Below 64 each value has its own; above, the top seven bits name it.
  static size_t Bucket(uint64_t value) {
    if (value < kSteps) return value;
    const int shift = std::bit_width(value) - kStepBits - 1;
    return (static_cast<size_t>(shift) << kStepBits) + (value >> shift);
  }
  static uint64_t Middle(size_t bucket) {
    if (bucket < 2 * kSteps) return bucket;
    const size_t shift = (bucket >> kStepBits) - 1;
    const uint64_t low = (bucket - (shift << kStepBits)) << shift;
    return low + (uint64_t{1} << shift) / 2;
  }

  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
  uint64_t max_ = 0;
};

}  // namespace strata::bench

#endif  // STRATA_BENCH_HISTOGRAM_H_
