#ifndef STRATA_BASE_RANDOM_H_
#define STRATA_BASE_RANDOM_H_

#include <cstdint>

namespace strata {

// A seeded generator (xoshiro256**, seeded by splitmix64; Blackman and Vigna,
// 2018). The same seed gives the same numbers on every machine, for ever. Not
// for secrets. A value; used by one thread.
class Random {
 public:
  explicit Random(uint64_t seed);

  uint64_t Next();
  // In [0, bound). REQUIRES: bound > 0
  uint64_t Below(uint64_t bound);
  // In [low, high].
  uint64_t Between(uint64_t low, uint64_t high);
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  // In [0, 1).
  double Fraction();

  // A seed that differs from run to run; for main() only.
  static uint64_t SeedFromSystem();

 private:
  uint64_t state_[4];
};

}  // namespace strata

#endif  // STRATA_BASE_RANDOM_H_
