#ifndef STRATA_ENGINE_BTREE_SHRINKER_H_
#define STRATA_ENGINE_BTREE_SHRINKER_H_

#include <cstdint>

#include "engine/btree/leaf_pass.h"

namespace strata::btree {

// Decides what each step of a shrinking does. All pages are in units of pages.
//
//   pack     once over all leaves: neighbours that fit into fewer pages are
//            joined; while it goes on, new pages are the lowest free ones
//   move     once over all leaves: what lies behind the pages that are needed
//            is written to free pages before
//   settle   three commits that move nothing, so that both metas and every
//            later view name the new pages alone; the file is cut
//
// and again from "move" on until the file is short enough or a round made it no
// shorter. Views of older states stop it after "settle", until they are gone.
// Used by one thread.
class Shrinker {
 public:
  // The file as it is now.
  struct File {
    uint64_t high_water = 0;
    uint64_t live = 0;   // used by the newest state
    uint64_t pages = 0;  // of the file
    bool has_old_view = false;
  };
  struct Step {
    Touches touches;
    bool commit = false;   // even if there is nothing to touch
    bool blocked = false;  // by the old view
    bool done = false;
  };

  // `budget`: pages to write anew in this step, about.
  StatusOr<Step> Next(const PageSource& source, PageId root, const File& file,
                      uint64_t budget);

 private:
  enum class Phase { kPass, kSettle };

  Step Settle(const File& file);

  Phase phase_ = Phase::kPass;
  LeafPass pass_ = LeafPass::Pack();
  int settled_ = 0;      // commits since the last pass
  int rounds_ = 0;       // of moving
  uint64_t before_ = 0;  // the file's pages before the last round
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_SHRINKER_H_
