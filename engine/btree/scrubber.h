#ifndef STRATA_ENGINE_BTREE_SCRUBBER_H_
#define STRATA_ENGINE_BTREE_SCRUBBER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/backend.h"
#include "engine/btree/freelist.h"
#include "engine/btree/page.h"
#include "engine/btree/transaction.h"

namespace strata::btree {

// Checks the pages that the current state uses, from the file's front to its
// end and again, some at a time while commits go on; and knows whether all of
// them have sums. Used by the writing thread.
class Scrubber {
 public:
  using Report = std::function<void(const std::string& fault)>;

  // Once: the state that an open found, of which `free` is not used.
  void Start(PageId high_water, const std::vector<PageRun>& free);
  // All pages in use were just checked, and what was found noted.
  void AllChecked() { all_checked_ = true; }
  // A commit wrote pages, with sums, and freed others.
  void Commit(const Transaction& tx, PageNotes* notes);

  // Whether every page of the current state is known to have a sum.
  bool AllHaveSums(const PageNotes& notes) const;

  // The next step begins a pass.
  bool at_start() const { return position_ == kFirst; }
  // REQUIRES: `source` is that of the current state, and checks each use
  ScrubProgress Step(const PageSource& source, uint64_t max_bytes,
                     const Report& report);

 private:
  static constexpr uint64_t kFirst = 2;  // behind the metas
  static constexpr uint64_t kBits = 64;

  void SetUsed(PageRun run, bool used);
  // The first page in use from `id` on; `end` if there is none before it.
  uint64_t NextUsed(uint64_t id, uint64_t end) const;
  // Of the page at position_, which is moved on; how many pages it looked at.
  uint64_t CheckOne(const PageSource& source, const Report& report);

  std::vector<uint64_t> used_;  // a bit for each page
  // Of the pass. It is never inside of several pages that belong together.
  uint64_t position_ = kFirst;
  // Met a fault, and no page with its own number since.
  bool lost_ = false;
  bool pass_faultless_ = true;
  bool all_checked_ = false;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_SCRUBBER_H_
