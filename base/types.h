#ifndef STRATA_BASE_TYPES_H_
#define STRATA_BASE_TYPES_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>

namespace strata {

// An integer that does not mix with other integers: Compact(LogIndex) does not
// compile where a Revision is wanted. Explicit in, value() out; ordered,
// hashable, countable, and free of charge.
template <typename Tag, typename Rep>
class TaggedInt {
 public:
  using rep = Rep;

  constexpr TaggedInt() = default;
  constexpr explicit TaggedInt(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(TaggedInt, TaggedInt) = default;
  constexpr TaggedInt& operator++() {
    ++value_;
    return *this;
  }
  constexpr TaggedInt& operator--() {
    --value_;
    return *this;
  }
  // A distance is a plain number.
  friend constexpr TaggedInt operator+(TaggedInt a, Rep distance) {
    return TaggedInt(a.value_ + distance);
  }
  friend constexpr TaggedInt operator-(TaggedInt a, Rep distance) {
    return TaggedInt(a.value_ - distance);
  }
  friend constexpr Rep operator-(TaggedInt a, TaggedInt b) {
    return a.value_ - b.value_;
  }
  friend std::ostream& operator<<(std::ostream& out, TaggedInt a) {
    return out << a.value_;
  }

 private:
  Rep value_ = 0;
};

// A position in the replicated log; the first entry is 1.
using LogIndex = TaggedInt<struct LogIndexTag, uint64_t>;
// A leader's reign; the first is 1.
using Term = TaggedInt<struct TermTag, uint64_t>;
// A member of a cluster; 0 is nobody. Printed in hexadecimal to users.
using MemberId = TaggedInt<struct MemberIdTag, uint64_t>;
using ClusterId = TaggedInt<struct ClusterIdTag, uint64_t>;
// The store's clock: one step for each transaction that changes something.
// The empty store is at 1.
using Revision = TaggedInt<struct RevisionTag, int64_t>;
// 0 is no lease.
using LeaseId = TaggedInt<struct LeaseIdTag, int64_t>;

}  // namespace strata

template <typename Tag, typename Rep>
struct std::hash<strata::TaggedInt<Tag, Rep>> {
  size_t operator()(strata::TaggedInt<Tag, Rep> a) const {
    return std::hash<Rep>()(a.value());
  }
};

#endif  // STRATA_BASE_TYPES_H_
