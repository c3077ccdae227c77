#ifndef STRATA_SERVER_ID_GENERATOR_H_
#define STRATA_SERVER_ID_GENERATOR_H_

#include <atomic>
#include <cstdint>

#include "base/types.h"

namespace strata {

// Request ids as etcd makes them: two bytes of the member id, five of the wall
// clock in milliseconds, one that counts on; so that ids of one member do not
// repeat across restarts, and those of two members not at all. Thread-safe.
class IdGenerator {
 public:
  IdGenerator(MemberId member, int64_t wall_nanoseconds)
      : prefix_(member.value() << 48),
        suffix_(static_cast<uint64_t>(wall_nanoseconds / 1'000'000) << 8) {}

  uint64_t Next() {
    constexpr uint64_t kSuffixMask = (uint64_t{1} << 48) - 1;
    return prefix_ | ((suffix_.fetch_add(1, std::memory_order_relaxed) + 1) &
                      kSuffixMask);
  }

 private:
  const uint64_t prefix_;
  std::atomic<uint64_t> suffix_;
};

}  // namespace strata

#endif  // STRATA_SERVER_ID_GENERATOR_H_
