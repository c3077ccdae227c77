#include "engine/btree/free_bits.h"

#include <algorithm>
#include <bit>

namespace strata::btree {
namespace {

constexpr uint64_t kWordBits = 64;
constexpr uint64_t kBlockWords = 8;
constexpr uint64_t kBlockBits = kBlockWords * kWordBits;
// Lengths have 32 bits: files of up to 16 TiB with pages of 4 KiB.
constexpr uint64_t kMaxPages = uint64_t{1} << 32;

// Calls `f(word, mask)` for each word that the run touches; false ends it.
template <typename F>
bool ForWords(PageRun run, F f) {
  uint64_t at = run.first.value();
  const uint64_t end = run.end().value();
  while (at < end) {
    const uint64_t bit = at % kWordBits;
    const uint64_t n = std::min(kWordBits - bit, end - at);
    const uint64_t ones =
        n == kWordBits ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
    if (!f(at / kWordBits, ones << bit)) return false;
    at += n;
  }
  return true;
}

}  // namespace

std::optional<PageId> FreeBits::Take(uint64_t count) {
  if (blocks_ == 0 || parts_[1].longest < count) return std::nullopt;
  uint64_t node = 1;
  uint64_t first = 0;  // of the node's pages
  uint64_t pages = blocks_ * kBlockBits;
  while (node < blocks_) {
    const Part& left = parts_[2 * node];
    pages /= 2;
    if (left.longest >= count) {
      node = 2 * node;
    } else if (left.end + parts_[2 * node + 1].begin >= count) {
      const PageId found(first + pages - left.end);
      Flip({found, count});
      return found;
    } else {
      node = 2 * node + 1;
      first += pages;
    }
  }
  const PageId found(FindIn(node - blocks_, count));
  Flip({found, count});
  return found;
}

uint64_t FreeBits::TakeTail(PageId end) {
  const uint64_t last = std::min(end.value(), blocks_ * kBlockBits);
  if (last < end.value()) return 0;
  uint64_t first = last;
  while (first > 0 && Bit(first - 1)) {
    const bool whole =
        first % kWordBits == 0 && words_[first / kWordBits - 1] == ~uint64_t{0};
    first -= whole ? kWordBits : 1;
  }
  if (first < last) Flip({PageId(first), last - first});
  return last - first;
}

bool FreeBits::Give(const std::vector<PageRun>& runs) {
  for (const PageRun& run : runs) {
    if (run.count == 0) continue;
    Reserve(run.end().value());
    if (AnyFree(run)) return false;
    Flip(run);
  }
  return true;
}

std::vector<PageRun> FreeBits::runs() const {
  std::vector<PageRun> runs;
  for (uint64_t word = 0; word < words_.size(); ++word) {
    uint64_t bits = words_[word];
    for (uint64_t at = word * kWordBits; bits != 0;) {
      const auto zeros = static_cast<uint64_t>(std::countr_zero(bits));
      bits >>= zeros;
      at += zeros;
      const auto ones = static_cast<uint64_t>(std::countr_one(bits));
      if (!runs.empty() && runs.back().end() == PageId(at)) {
        runs.back().count += ones;
      } else {
        runs.push_back({PageId(at), ones});
      }
      bits = ones == kWordBits ? 0 : bits >> ones;
      at += ones;
    }
  }
  return runs;
}

void FreeBits::Flip(PageRun run) {
  const bool give = !Bit(run.first.value());
  ForWords(run, [this](uint64_t word, uint64_t mask) {
    words_[word] ^= mask;
    return true;
  });
  count_ = give ? count_ + run.count : count_ - run.count;
  Update(run.first.value() / kBlockBits, (run.end().value() - 1) / kBlockBits);
}

bool FreeBits::AnyFree(PageRun run) const {
  return !ForWords(run, [this](uint64_t word, uint64_t mask) {
    return (words_[word] & mask) == 0;
  });
}

// Doubles, so that it costs little for each page.
void FreeBits::Reserve(uint64_t pages) {
  CHECK_LE(pages, kMaxPages);
  const uint64_t blocks = std::bit_ceil((pages + kBlockBits - 1) / kBlockBits);
  if (blocks <= blocks_) return;
  blocks_ = blocks;
  words_.resize(blocks * kBlockWords);
  parts_.assign(2 * blocks, {});
  Update(0, blocks - 1);
}

void FreeBits::Update(uint64_t first, uint64_t last) {
  for (uint64_t block = first; block <= last; ++block) {
    parts_[blocks_ + block] = Summary(block);
  }
  first += blocks_;
  last += blocks_;
  for (uint64_t half = kBlockBits; first > 1; half *= 2) {
    first /= 2;
    last /= 2;
    for (uint64_t node = first; node <= last; ++node) {
      Combine(node, static_cast<uint32_t>(half));
    }
  }
}

void FreeBits::Combine(uint64_t node, uint32_t half) {
  const Part& left = parts_[2 * node];
  const Part& right = parts_[2 * node + 1];
  parts_[node] = {.begin = left.begin == half ? half + right.begin : left.begin,
                  .end = right.end == half ? half + left.end : right.end,
                  .longest = std::max(
                      {left.longest, right.longest, left.end + right.begin})};
}

FreeBits::Part FreeBits::Summary(uint64_t block) const {
  Part part;
  uint32_t run = 0;  // up to here
  bool all = true;
  for (uint64_t i = 0; i < kBlockWords; ++i) {
    uint64_t bits = words_[block * kBlockWords + i];
    for (uint32_t left = kWordBits; left > 0;) {
      const auto ones =
          std::min(left, static_cast<uint32_t>(std::countr_one(bits)));
      run += ones;
      left -= ones;
      part.longest = std::max(part.longest, run);
      if (left == 0) break;
      if (all) part.begin = run;
      all = false;
      run = 0;
      bits >>= ones;  // less than all of them
      const auto zeros =
          std::min(left, static_cast<uint32_t>(std::countr_zero(bits)));
      left -= zeros;
      if (left > 0) bits >>= zeros;
    }
  }
  if (all) part.begin = run;
  part.end = run;
  return part;
}

// REQUIRES: the block has such a run
uint64_t FreeBits::FindIn(uint64_t block, uint64_t count) const {
  uint64_t run = 0;
  const uint64_t end = (block + 1) * kBlockBits;
  for (uint64_t page = block * kBlockBits; page < end; ++page) {
    if (page % kWordBits == 0 && words_[page / kWordBits] == 0) {
      run = 0;
      page += kWordBits - 1;
      continue;
    }
    run = Bit(page) ? run + 1 : 0;
    if (run == count) return page + 1 - count;
  }
  CHECK(false) << "no run of " << count << " pages in block " << block;
  return 0;
}

}  // namespace strata::btree
