#ifndef STRATA_ENGINE_BTREE_FREELIST_H_
#define STRATA_ENGINE_BTREE_FREELIST_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/btree/free_runs.h"
#include "engine/btree/page.h"
#include "engine/btree_options.h"

namespace strata::btree {

// The pages below the high water mark that the newest tree does not use: those
// free to be written, and those that an older state may still show (pending).
// For each page it is known which transaction took it and which gave it up, so
// a view pins what it can see and nothing else:
//
//   page taken by 5, freed by 9:  in the states 5, 6, 7, 8
//   visible states 3, 8, 9        waits for 8, not for 3
//
// A commit costs O(log n) for each page taken or freed, however many pages are
// free or pending. Used by one thread, by one transaction at a time.
class Freelist {
 public:
  explicit Freelist(FreelistType type) : free_(FreeRuns::New(type)) {}

  // What an open found. False if an id is there twice.
  bool Load(const std::vector<PageRun>& runs) { return free_->Give(runs); }

  // For transaction `tx`, the current one; undone by Rollback().
  std::optional<PageId> Allocate(TxId tx, uint64_t count);
  // `tx` uses this page, which never was in the list, and those that follow.
  void Taken(TxId tx, PageId first);
  // The pages were used until transaction `tx`, the current one.
  void Free(TxId tx, PageRun run);
  // What no state in `visible` shows can be written again. `visible`, sorted,
  // has the newest state. False if a page was freed twice: a damaged tree shows
  // it in two places.
  [[nodiscard]] bool Release(const std::vector<TxId>& visible);

  void Commit() { taken_.clear(); }
  void Rollback(TxId tx);

  // The lowest pages that fit, of either type, so that the file's end empties.
  void PreferLow(bool on) { prefer_low_ = on; }
  // Takes the free pages below `high_water`, down to the last that is used or
  // pending, out of the list; how many. Undone by Rollback().
  uint64_t CutTail(PageId high_water);

  // What was freed in `tx` can be written at once: a planted bug for the test
  // that must find it.
  void ReuseAtOnce(bool on) { reuse_at_once_ = on; }

  uint64_t free_count() const { return free_->count(); }
  uint64_t pending_count() const { return pending_count_; }
  // Pages that wait for this state, the newest that shows them.
  uint64_t WaitingFor(TxId state) const;
  // All ids, free and pending, sorted: after a crash all are free. False if one
  // is there twice.
  [[nodiscard]] bool All(std::vector<PageRun>* runs) const;

  // The page that stores a list as All() gives it, without its sum, over as
  // many pages as PagesFor() says for at least that many ids.
  static uint64_t PagesFor(uint64_t ids, uint32_t page_size);
  static std::string Encode(const std::vector<PageRun>& runs, PageId id,
                            uint64_t pages, uint32_t page_size);
  // The ids on the list's page, as runs; DataLoss if they cannot be free.
  static StatusOr<std::vector<PageRun>> Decode(const PageSource& source,
                                               PageId id);

 private:
  struct Pending {
    PageRun run;
    TxId taken;  // 0: before the file was opened
    TxId freed;
  };

  // The transaction that took the page.
  TxId TakenBy(PageId first) const;

  std::unique_ptr<FreeRuns> free_;
  std::vector<Pending> freed_;  // since the last Release()
  // By the newest visible state that shows them.
  std::map<TxId, std::vector<Pending>> waiting_;
  uint64_t pending_count_ = 0;  // of both
  std::vector<PageRun> taken_;  // by the current transaction
  // For a run's first page, how many transactions after the first one of this
  // list it was taken; 0: before.
  std::vector<uint32_t> taken_at_;
  TxId first_tx_;
  bool prefer_low_ = false;
  bool reuse_at_once_ = false;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_FREELIST_H_
