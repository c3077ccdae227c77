#ifndef STRATA_ENGINE_BTREE_PAGE_NOTES_H_
#define STRATA_ENGINE_BTREE_PAGE_NOTES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/btree/ids.h"

namespace strata::btree {

// Two bits for each page, in memory: it was found sound since the file was
// opened (or written by this process), and it has no sum. They speak of a page
// that a state still uses, and are found under the first page of several.
//
// Thread-safe without a lock: a note that two threads make at once is the same,
// and one that is lost is made again at the page's next use.
class PageNotes {
 public:
  explicit PageNotes(uint64_t pages)
      : sound_(Words(pages)), bare_(Words(pages)) {}
  // What `before` has noted, with room for `pages`.
  PageNotes(uint64_t pages, const PageNotes& before) : PageNotes(pages) {
    Copy(before.sound_, &sound_);
    Copy(before.bare_, &bare_);
  }

  // Room for so many pages, at least.
  uint64_t pages() const { return sound_.size() * kBits; }

  bool sound(PageId id) const { return Has(sound_, id); }
  bool bare(PageId id) const { return Has(bare_, id); }

  // Whether one of the pages whose bits are set in `among` has no sum.
  bool AnyBare(const std::vector<uint64_t>& among) const {
    for (size_t i = 0; i < among.size() && i < bare_.size(); ++i) {
      if ((among[i] & bare_[i].load(std::memory_order_relaxed)) != 0) {
        return true;
      }
    }
    return false;
  }

  // REQUIRES: id < pages()
  void SetSound(PageId id, bool bare) {
    Set(&bare_, id, bare);
    Set(&sound_, id, true);
  }
  void SetDamaged(PageId id) { Set(&sound_, id, false); }

 private:
  using Bits = std::vector<std::atomic<uint64_t>>;
  static constexpr uint64_t kBits = 64;

  static uint64_t Words(uint64_t pages) { return (pages + kBits - 1) / kBits; }

  static bool Has(const Bits& bits, PageId id) {
    const uint64_t word =
        bits[id.value() / kBits].load(std::memory_order_relaxed);
    return (word >> (id.value() % kBits) & 1) != 0;
  }

  static void Set(Bits* bits, PageId id, bool on) {
    std::atomic<uint64_t>& word = (*bits)[id.value() / kBits];
    const uint64_t bit = uint64_t{1} << (id.value() % kBits);
    if (on) {
      word.fetch_or(bit, std::memory_order_relaxed);
    } else {
      word.fetch_and(~bit, std::memory_order_relaxed);
    }
  }

  static void Copy(const Bits& from, Bits* to) {
    for (size_t i = 0; i < from.size() && i < to->size(); ++i) {
      (*to)[i].store(from[i].load(std::memory_order_relaxed),
                     std::memory_order_relaxed);
    }
  }

  Bits sound_;
  Bits bare_;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_PAGE_NOTES_H_
