#ifndef STRATA_BASE_POWER_LOSS_H_
#define STRATA_BASE_POWER_LOSS_H_

#include <cstddef>
#include <cstdint>

#include "base/random.h"

namespace strata {

// Which of the things that were not synced survive a power loss. The fake disk
// numbers them: first the changes of names, in the order they were made, then
// for each file, in the order the files were made, its length and its sectors
// in ascending order. A value; the same one gives the same disk.
class PowerLoss {
 public:
  // Only what was synced.
  static PowerLoss Nothing();
  // All, as if the caches had been flushed in the last moment.
  static PowerLoss Everything();
  // Thing i survives if bit i is set; things from 64 on do not. With n =
  // FakeEnv::UnsyncedThings() <= 64, the masks below 2^n are all the outcomes.
  static PowerLoss Mask(uint64_t mask);
  // Any subset; few, half or most of them. A sector that was written several
  // times may also come back with a content from between.
  static PowerLoss Random(uint64_t seed);

  // The fate of the next thing, whose states since it was synced are 0 (synced)
  // to `newest`. For the fake disk.
  size_t Pick(size_t newest);

 private:
  enum class Kind { kNothing, kEverything, kMask, kRandom };
  PowerLoss(Kind kind, uint64_t mask, uint64_t seed);
  size_t PickAtRandom(size_t newest);

  Kind kind_;
  uint64_t mask_;
  strata::Random random_;
  uint64_t eighths_ = 0;  // of the things survive, on average
  uint64_t next_ = 0;
};

}  // namespace strata

#endif  // STRATA_BASE_POWER_LOSS_H_
