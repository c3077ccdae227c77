#include "engine/btree/shrinker.h"

#include <algorithm>
#include <utility>

namespace strata::btree {
namespace {

// After that many commits nothing that was freed before them waits for a meta.
constexpr int kSettleCommits = 3;
// Each round leaves less to the next; what is left after these is left.
constexpr int kMaxRounds = 8;
constexpr uint64_t kSmallestStep = 8;

// With so many pages the file is short enough.
uint64_t Goal(uint64_t live) { return live + live / 16 + 8; }
// A round moves what lies behind so many.
uint64_t Target(uint64_t live) { return 2 + live + live / 32 + 2; }

}  // namespace

StatusOr<Shrinker::Step> Shrinker::Next(const PageSource& source, PageId root,
                                        const File& file, uint64_t budget) {
  if (phase_ == Phase::kSettle) return Settle(file);
  // What a step frees is free three commits later, so steps are to be small
  // beside the file.
  budget = std::max(kSmallestStep, std::min(budget, file.live / 16));
  Step step;
  ASSIGN_OR_RETURN(step.touches, pass_.Next(source, root, budget));
  if (pass_.done()) {
    phase_ = Phase::kSettle;
    settled_ = 0;
  }
  step.commit = step.touches.pages > 0;
  return step;
}

Shrinker::Step Shrinker::Settle(const File& file) {
  Step step;
  if (settled_ < kSettleCommits) {
    ++settled_;
    step.commit = true;
    return step;
  }
  const uint64_t pages = std::max(file.pages, file.high_water);
  if (pages <= Goal(file.live)) {
    step.done = true;
  } else if (file.has_old_view) {
    step.blocked = true;
    rounds_ = 0;
  } else if (rounds_ == kMaxRounds || (rounds_ > 0 && pages >= before_)) {
    step.done = true;
  } else {
    ++rounds_;
    before_ = pages;
    pass_ = LeafPass::MoveFrom(PageId(Target(file.live)));
    phase_ = Phase::kPass;
  }
  return step;
}

}  // namespace strata::btree
