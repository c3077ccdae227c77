#ifndef STRATA_ENGINE_BTREE_TRANSACTION_H_
#define STRATA_ENGINE_BTREE_TRANSACTION_H_

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/btree/cursor.h"
#include "engine/btree/freelist.h"
#include "engine/btree/meta.h"
#include "engine/btree/page_buffers.h"
#include "engine/btree/tree.h"

namespace strata::btree {

// Pages to write, one behind the other.
struct DirtyRun {
  PageId first;
  std::string bytes;
};

// Sorts by key and keeps the last change of each key.
void SortChanges(std::vector<Change>* changes);

// From one meta to the next: changes buckets and collects the pages to be
// written, in memory alone. The pages it reads are of the state that `meta`
// names. Used by one thread, once.
//
//   Transaction tx(source, meta, &freelist, &buffers, options);
//   tx.Apply("key", changes); ...; tx.Finish();
//   ...write tx.dirty(), then tx.meta()...; freelist.Commit();
//
// After an error: freelist.Rollback(tx.id()).
class Transaction : private NodeSink {
 public:
  struct Options {
    double fill = 0.9;
    bool freelist_sync = false;
    // A commit that makes the file shorter: always one, even if nothing
    // changed; it lets go of the free pages at the end.
    bool shrink = false;
  };

  // `buffers` outlives the transaction.
  Transaction(const PageSource& source, const Meta& meta, Freelist* freelist,
              PageBuffers* buffers, const Options& options);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Changes one bucket, which is made if it is missing and something is put.
  // Each bucket at most once. The changes' bytes must outlive the transaction.
  // REQUIRES: `changes` as SortChanges() leaves them
  Status Apply(std::string_view bucket, const std::vector<Change>& changes);
  // Makes an empty bucket where there is none.
  Status CreateBucket(std::string_view bucket);
  // Writes the leaves that `keys`, sorted, belong to anew, packed. As Apply()
  // otherwise.
  Status Touch(std::string_view bucket, const std::vector<std::string>& keys);

  // Writes the bucket of buckets and the freelist. False if nothing changed;
  // then there is nothing to commit.
  StatusOr<bool> Finish();

  TxId id() const { return TxId(meta_.tx); }
  const Meta& meta() const { return meta_; }
  // Sorted, each with its sum.
  const std::vector<DirtyRun>& dirty() const { return dirty_; }
  // What is no longer used; also what was used in between alone.
  const std::vector<PageRun>& freed() const { return freed_; }

 private:
  StatusOr<PageId> WriteNode(const Node& node) override;
  StatusOr<Page> ReadPage(PageId id) override;
  void FreePage(PageId id) override;

  // dirty_.end() if the transaction did not write the page.
  std::vector<DirtyRun>::iterator FindDirty(PageId id);
  PageId AllocatePages(uint64_t count);
  StatusOr<std::string> BucketValue(const Bucket& bucket, Node root,
                                    TreeMerge* merge);
  bool CanBeInline(const Node& root) const;
  void PutBucket(std::string_view name, std::string value);
  void CutTail();
  Status WriteFreelist();

  const PageSource source_;
  const Options options_;
  Freelist* const freelist_;
  PageBuffers* const buffers_;
  Meta meta_;  // as it will be
  std::vector<DirtyRun> dirty_;
  std::unordered_set<PageId> dirty_ids_;
  std::vector<PageRun> freed_;
  // Written and then taken apart again; nodes borrow from them.
  std::vector<DirtyRun> retired_;
  // What becomes of the bucket of buckets.
  std::vector<std::unique_ptr<std::pair<std::string, std::string>>> buckets_;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_TRANSACTION_H_
