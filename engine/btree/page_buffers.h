#ifndef STRATA_ENGINE_BTREE_PAGE_BUFFERS_H_
#define STRATA_ENGINE_BTREE_PAGE_BUFFERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace strata::btree {

// Memory for pages that are being made, kept from one commit to the next:
// taking it from the system each time costs more than filling it. Used by one
// thread.
class PageBuffers {
 public:
  // So many zeros.
  std::string Take(uint64_t bytes) {
    if (kept_.empty() || bytes > kept_.back().capacity()) {
      return std::string(bytes, '\0');
    }
    std::string buffer = std::move(kept_.back());
    kept_.pop_back();
    kept_bytes_ -= buffer.capacity();
    buffer.assign(bytes, '\0');
    return buffer;
  }

  void Give(std::string buffer) {
    const size_t bytes = buffer.capacity();
    if (bytes > kLargest || kept_bytes_ + bytes > kKept) return;
    kept_bytes_ += bytes;
    kept_.push_back(std::move(buffer));
  }

 private:
  static constexpr size_t kLargest = 64 << 10;
  static constexpr size_t kKept = 4 << 20;

  std::vector<std::string> kept_;
  size_t kept_bytes_ = 0;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_PAGE_BUFFERS_H_
