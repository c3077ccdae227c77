#ifndef STRATA_ENGINE_ARENA_H_
#define STRATA_ENGINE_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace strata {

// Bytes that stay where they are until the arena goes, all at once. Costs an
// allocation for each block and nothing for what is in it. Used by one thread;
// what it gave may be read by any.
class Arena {
 public:
  char* Allocate(size_t bytes) {
    if (bytes > free_bytes_) return AllocateBlock(bytes);
    char* const data = free_;
    free_ += bytes;
    free_bytes_ -= bytes;
    return data;
  }

  std::string_view Copy(std::string_view bytes) {
    if (bytes.empty()) return {};
    char* const data = Allocate(bytes.size());
    std::memcpy(data, bytes.data(), bytes.size());
    return {data, bytes.size()};
  }

 private:
  static constexpr size_t kFirstBlockBytes = 4 << 10;
  static constexpr size_t kBlockBytes = 256 << 10;

  // What is larger than a block gets one of its own, and the open one stays.
  char* AllocateBlock(size_t bytes) {
    const size_t size = std::max(bytes, next_bytes_);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    char* const data = blocks_.back().get();
    if (bytes >= next_bytes_) return data;
    free_ = data + bytes;
    free_bytes_ = size - bytes;
    next_bytes_ = std::min(2 * next_bytes_, kBlockBytes);
    return data;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* free_ = nullptr;
  size_t free_bytes_ = 0;
  size_t next_bytes_ = kFirstBlockBytes;
};

}  // namespace strata

#endif  // STRATA_ENGINE_ARENA_H_
