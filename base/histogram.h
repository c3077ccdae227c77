#ifndef STRATA_BASE_HISTOGRAM_H_
#define STRATA_BASE_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"

namespace strata {

// How often values were at most each bound, as they were counted. A value.
struct HistogramValue {
  std::span<const double> bounds = {};  // ascending
  // Of the values above the bound before and up to this one; the last is for
  // those above all bounds.
  std::vector<uint64_t> counts = {};
  double sum = 0;
};

// Counts values by their size. Thread-safe, without locks; what is read while
// others count may be a value short in places.
class Histogram {
 public:
  static constexpr size_t kMaxBounds = 24;

  // `bounds` must outlive it.
  explicit constexpr Histogram(std::span<const double> bounds)
      : bounds_(bounds) {
    CHECK_LE(bounds.size(), kMaxBounds);
  }

  void Add(double value) {
    size_t place = 0;
    while (place < bounds_.size() && value > bounds_[place]) ++place;
    counts_[place].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  void AddSeconds(std::chrono::nanoseconds duration) {
    Add(std::chrono::duration<double>(duration).count());
  }
  void AddMilliseconds(std::chrono::nanoseconds duration) {
    Add(std::chrono::duration<double, std::milli>(duration).count());
  }

  HistogramValue Read() const {
    HistogramValue value{.bounds = bounds_};
    for (size_t place = 0; place <= bounds_.size(); ++place) {
      value.counts.push_back(counts_[place].load(std::memory_order_relaxed));
    }
    value.sum = sum_.load(std::memory_order_relaxed);
    return value;
  }

 private:
  const std::span<const double> bounds_;
  std::array<std::atomic<uint64_t>, kMaxBounds + 1> counts_ = {};
  std::atomic<double> sum_ = 0;
};

// `size` bounds, each twice the one before.
template <size_t size>
constexpr std::array<double, size> DoublingBounds(double first) {
  std::array<double, size> bounds = {};
  for (double& bound : bounds) {
    bound = first;
    first *= 2;
  }
  return bounds;
}

// Adds one to a count that this thread alone changes: no other waits for it.
inline void Bump(std::atomic<uint64_t>* count, uint64_t by = 1) {
  count->store(count->load(std::memory_order_relaxed) + by,
               std::memory_order_relaxed);
}

}  // namespace strata

#endif  // STRATA_BASE_HISTOGRAM_H_
