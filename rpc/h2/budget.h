#ifndef STRATA_RPC_H2_BUDGET_H_
#define STRATA_RPC_H2_BUDGET_H_

#include <atomic>
#include <cstdint>

namespace strata {

// What the calls of a server may keep in memory, together: requests that come
// in and answers that wait to be sent. Thread-safe.
class Budget {
 public:
  // 0: no bound.
  explicit Budget(uint64_t bytes) : bytes_(bytes) {}

  // Whether they were to be had; if not, none was taken.
  bool Take(uint64_t bytes) {
    const uint64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
    if (bytes_ == 0 || before + bytes <= bytes_) return true;
    Return(bytes);
    return false;
  }
  void Return(uint64_t bytes) {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
  }

 private:
  const uint64_t bytes_;
  std::atomic<uint64_t> used_ = 0;
};

}  // namespace strata

#endif  // STRATA_RPC_H2_BUDGET_H_
