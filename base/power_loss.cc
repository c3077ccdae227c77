#include "base/power_loss.h"

namespace strata {

PowerLoss::PowerLoss(Kind kind, uint64_t mask, uint64_t seed)
    : kind_(kind), mask_(mask), random_(seed) {
  constexpr uint64_t kFewHalfMost[] = {1, 4, 7};
  eighths_ = kFewHalfMost[random_.Below(3)];
}

PowerLoss PowerLoss::Nothing() { return PowerLoss(Kind::kNothing, 0, 0); }
PowerLoss PowerLoss::Everything() { return PowerLoss(Kind::kEverything, 0, 0); }
PowerLoss PowerLoss::Mask(uint64_t mask) {
  return PowerLoss(Kind::kMask, mask, 0);
}
PowerLoss PowerLoss::Random(uint64_t seed) {
  return PowerLoss(Kind::kRandom, 0, seed);
}

size_t PowerLoss::Pick(size_t newest) {
  const uint64_t i = next_++;
  switch (kind_) {
    case Kind::kNothing:
      return 0;
    case Kind::kEverything:
      return newest;
    case Kind::kMask:
      return i < 64 && (mask_ >> i & 1) != 0 ? newest : 0;
    case Kind::kRandom:
      return PickAtRandom(newest);
  }
  return 0;
}

size_t PowerLoss::PickAtRandom(size_t newest) {
  if (random_.Below(8) >= eighths_) return 0;
  if (newest > 1 && random_.OneIn(4)) return random_.Between(1, newest - 1);
  return newest;
}

}  // namespace strata
