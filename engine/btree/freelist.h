#ifndef STRATA_ENGINE_BTREE_FREELIST_H_
#define STRATA_ENGINE_BTREE_FREELIST_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/btree/page.h"
#include "engine/btree_options.h"

namespace strata::btree {

// Neighbouring pages [first, first + count).
struct PageRun {
  PageId first;
  uint64_t count = 0;

  friend bool operator==(const PageRun&, const PageRun&) = default;
};

// Which pages can be written, in one of two forms that behave alike but for
// the choice among runs that fit. Used by one thread.
class FreeRuns {
 public:
  static std::unique_ptr<FreeRuns> New(FreelistType type);
  virtual ~FreeRuns() = default;

  // Takes `count` neighbouring pages out, if there are so many.
  virtual std::optional<PageId> Take(uint64_t count) = 0;
  // Puts pages back in. False if one of them is in already, which leaves the
  // rest undefined. `runs` may be in any order.
  virtual bool Give(std::vector<PageRun> runs) = 0;
  virtual uint64_t count() const = 0;
  // Sorted; neighbours joined.
  virtual std::vector<PageRun> runs() const = 0;
};

// The pages below the high water mark that no tree uses: those free to be
// written, and those freed by a transaction (pending) whose content an older
// state may still show. Used by one thread, by one transaction at a time.
class Freelist {
 public:
  explicit Freelist(FreelistType type) : free_(FreeRuns::New(type)) {}

  // What an open found. False if an id is there twice.
  bool Load(std::vector<PageRun> runs) { return free_->Give(std::move(runs)); }

  // For the current transaction, undone by Rollback().
  std::optional<PageId> Allocate(uint64_t count);
  // The pages were used until transaction `tx`.
  void Free(TxId tx, PageRun run);
  // What was freed by `last` or an earlier transaction can be written again.
  // False if a page was freed twice: a damaged tree shows it in two places.
  [[nodiscard]] bool Release(TxId last);

  void Commit() { taken_.clear(); }
  void Rollback(TxId tx);

  // What was freed in `tx` can be written at once: a planted bug for the test
  // that must find it.
  void ReuseAtOnce(bool on) { reuse_at_once_ = on; }

  uint64_t free_count() const { return free_->count(); }
  uint64_t pending_count() const { return pending_count_; }
  // All ids, free and pending, sorted: after a crash all are free. False if one
  // is there twice.
  [[nodiscard]] bool All(std::vector<PageRun>* runs) const;

  // The page that stores a list as All() gives it, over as many pages as
  // PagesFor() says for at least that many ids.
  static uint64_t PagesFor(uint64_t ids, uint32_t page_size);
  static std::string Encode(const std::vector<PageRun>& runs, PageId id,
                            uint64_t pages, uint32_t page_size);
  // The ids on the list's page, as runs; DataLoss if they cannot be free.
  static StatusOr<std::vector<PageRun>> Decode(const PageSource& source,
                                               PageId id);

 private:
  std::unique_ptr<FreeRuns> free_;
  std::map<TxId, std::vector<PageRun>> pending_;
  uint64_t pending_count_ = 0;
  std::vector<PageRun> taken_;  // by the current transaction
  bool reuse_at_once_ = false;
};

// Sorts and joins neighbours. False if two runs overlap.
bool Normalize(std::vector<PageRun>* runs);

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_FREELIST_H_
