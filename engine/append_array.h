#ifndef STRATA_ENGINE_APPEND_ARRAY_H_
#define STRATA_ENGINE_APPEND_ARRAY_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.h"

namespace strata {

// An array that only grows and whose elements never move, in blocks of doubling
// size. One thread appends; any thread reads what was appended before it saw
// size(), without a lock.
template <typename T>
class AppendArray {
 public:
  AppendArray() = default;
  ~AppendArray() {
    for (auto& block : blocks_) delete[] block.load(std::memory_order_relaxed);
  }
  AppendArray(const AppendArray&) = delete;
  AppendArray& operator=(const AppendArray&) = delete;

  size_t size() const { return size_.load(std::memory_order_acquire); }

  // REQUIRES: i < size()
  const T& operator[](size_t i) const {
    const auto [block, offset] = Locate(i);
    return blocks_[block].load(std::memory_order_relaxed)[offset];
  }

  void Append(const T& item) {
    const size_t size = size_.load(std::memory_order_relaxed);
    const auto [block, offset] = Locate(size);
    CHECK_LT(block, kBlocks);
    T* items = blocks_[block].load(std::memory_order_relaxed);
    if (items == nullptr) {
      items = new T[kFirst << block];
      blocks_[block].store(items, std::memory_order_relaxed);
    }
    items[offset] = item;
    size_.store(size + 1, std::memory_order_release);
  }

 private:
  static constexpr size_t kFirst = 256;
  static constexpr size_t kBlocks = 32;

  struct Place {
    size_t block;
    size_t offset;
  };
  // Block b begins at kFirst * (2^b - 1).
  static Place Locate(size_t i) {
    const size_t shifted = i + kFirst;
    const size_t block = static_cast<size_t>(std::bit_width(shifted)) -
                         static_cast<size_t>(std::bit_width(kFirst));
    return {block, shifted - (kFirst << block)};
  }

  std::atomic<size_t> size_{0};
  std::array<std::atomic<T*>, kBlocks> blocks_{};
};

}  // namespace strata

#endif  // STRATA_ENGINE_APPEND_ARRAY_H_
