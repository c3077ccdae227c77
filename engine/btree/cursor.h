#ifndef STRATA_ENGINE_BTREE_CURSOR_H_
#define STRATA_ENGINE_BTREE_CURSOR_H_

#include <optional>
#include <string_view>
#include <vector>

#include "engine/backend.h"
#include "engine/btree/page.h"

namespace strata::btree {

// A bucket as an element of its parent's leaf says it: a tree, or one leaf page
// inline, or missing. Borrowed, as Page is.
struct Bucket {
  bool exists = false;
  uint64_t root = 0;  // 0: inline
  uint64_t sequence = 0;
  Page leaf;     // if inline
  PageId where;  // a page to name if the inline leaf is damaged

  static Bucket AtRoot(PageId root) {
    Bucket bucket;
    bucket.exists = true;
    bucket.root = root.value();
    return bucket;
  }
};

// Reads the value of an element with kBucketFlag; `where` is its page.
StatusOr<Bucket> ParseBucket(const PageSource& source, PageId where,
                             std::string_view value);

// The element of exactly this key, with whichever flags.
StatusOr<std::optional<Item>> Find(const PageSource& source,
                                   const Bucket& bucket, std::string_view key);

// The bucket of this name in the bucket of buckets.
StatusOr<Bucket> FindBucket(const PageSource& source, PageId root,
                            std::string_view name);

// Walks the values of one bucket in key order, or its nested buckets; what is
// of the other kind is passed over.
// Reads pages of a pinned state in place. Used by one thread.
class Cursor : public View::Iterator {
 public:
  Cursor(const PageSource* source, const Bucket* bucket, uint32_t flags = 0)
      : source_(source), bucket_(bucket), flags_(flags) {}

  void SeekToFirst() override;
  void Seek(std::string_view key) override;
  bool Valid() const override { return valid_; }
  void Next() override;
  std::string_view key() const override { return item_.key; }
  std::string_view value() const override { return item_.value; }
  Status status() const override { return status_; }

 private:
  struct Level {
    PageId id;
    Page page;
    int at;
  };

  // Down from `page` to a leaf, along `key` or, if it is null, the left edge.
  void Descend(PageId id, Page page, const std::string_view* key);
  void Start(const std::string_view* key);
  // From the position on, which may be a leaf's end, to the next value.
  void Settle();
  bool NextLeaf();
  void Fail(Status status);

  const PageSource* const source_;
  const Bucket* const bucket_;
  const uint32_t flags_;     // of the elements shown: 0 or kBucketFlag
  std::vector<Level> path_;  // from the root to the leaf
  Item item_;
  bool valid_ = false;
  Status status_;
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_CURSOR_H_
