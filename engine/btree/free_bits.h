#ifndef STRATA_ENGINE_BTREE_FREE_BITS_H_
#define STRATA_ENGINE_BTREE_FREE_BITS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/btree/free_runs.h"

namespace strata::btree {

// FreelistType::kArray: an array of bits, 1 for a free page, in blocks of 512;
// over the blocks a binary tree, each node of which knows how many free pages
// its part begins with, ends with, and has in its longest run:
//
//   pages   0..........511 512......1023 1024 ...
//   block   [11100...0111] [1100....0001]
//            3, 3, 3        2, 1, 2          begin, end, longest
//                 \          /
//                  3, 1, 5                   3 at the end of the left part and
//                                            2 at the right one's beginning
//
// So the lowest run of a length is found on one way down from the root.
class FreeBits : public FreeRuns {
 public:
  std::optional<PageId> Take(uint64_t count) override;
  std::optional<PageId> TakeLowest(uint64_t count) override {
    return Take(count);
  }
  uint64_t TakeTail(PageId end) override;
  bool Give(const std::vector<PageRun>& runs) override;
  uint64_t count() const override { return count_; }
  std::vector<PageRun> runs() const override;

 private:
  struct Part {
    uint32_t begin = 0;
    uint32_t end = 0;
    uint32_t longest = 0;
  };

  bool Bit(uint64_t page) const {
    return (words_[page / 64] >> (page % 64) & 1) != 0;
  }
  // Turns all bits of the run over. REQUIRES: they are alike, and inside
  void Flip(PageRun run);
  bool AnyFree(PageRun run) const;
  void Reserve(uint64_t pages);
  // Brings the tree up to date with the blocks from `first` to `last`.
  void Update(uint64_t first, uint64_t last);
  void Combine(uint64_t node, uint32_t half);
  Part Summary(uint64_t block) const;
  uint64_t FindIn(uint64_t block, uint64_t count) const;

  uint64_t blocks_ = 0;  // a power of two
  std::vector<uint64_t> words_;
  // The root is 1, the children of n are 2n and 2n + 1, the blocks come last.
  std::vector<Part> parts_;
  uint64_t count_ = 0;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_FREE_BITS_H_
