#include "engine/btree/cursor.h"

namespace strata::btree {
namespace {

constexpr char kOutside[] = "an element leads outside the page";

// Where `key` is on a leaf whose first key is `first`, if they are revisions
// one after the other, as most are: then two looks at memory are enough, where
// a search takes five. A guess.
int GuessOnLeaf(const Page& leaf, std::string_view first,
                std::string_view key) {
  if (first.size() < sizeof(uint64_t) || key.size() < sizeof(uint64_t)) {
    return -1;
  }
  const uint64_t at = LoadBig64(key.data()) - LoadBig64(first.data());
  return at < static_cast<uint64_t>(leaf.count()) ? static_cast<int>(at) : -1;
}

// The item on a leaf, if it has the key. `first` is the leaf's first key; empty
// if that is not known.
StatusOr<std::optional<Item>> FindOnLeaf(const PageSource& source, PageId id,
                                         const Page& leaf,
                                         std::string_view first,
                                         std::string_view key) {
  const int guess = GuessOnLeaf(leaf, first, key);
  std::string_view guessed;
  const bool right = guess >= 0 && leaf.Key(guess, &guessed) && guessed == key;
  const int at = right ? guess : leaf.LowerBound(key);
  Item item;
  if (at < 0 || (at < leaf.count() && !leaf.Get(at, &item))) {
    return source.Damaged(id, kOutside);
  }
  if (at == leaf.count() || item.key != key) return std::optional<Item>();
  return std::optional<Item>(item);
}

// The child of a branch at `at`, and its first key if that is asked for.
StatusOr<PageId> ChildAt(const PageSource& source, PageId id,
                         const Page& branch, int at,
                         std::string_view* first = nullptr) {
  Item item;
  if (at < 0 || !branch.Get(at, &item)) return source.Damaged(id, kOutside);
  if (first != nullptr) *first = item.key;
  return item.child;
}

Status TooDeep(const PageSource& source, PageId id) {
  return source.Damaged(id, "the tree is too deep");
}

}  // namespace

StatusOr<Bucket> ParseBucket(const PageSource& source, PageId where,
                             std::string_view value) {
  if (value.size() < sizeof(BucketHeader)) {
    return source.Damaged(where, "a bucket without header");
  }
  auto header = Load<BucketHeader>(value.data());
  Bucket bucket;
  bucket.exists = true;
  bucket.root = header.root;
  bucket.sequence = header.sequence;
  bucket.where = where;
  if (header.root != 0) {
    if (value.size() != sizeof(BucketHeader)) {
      return source.Damaged(where, "a bucket with both root and inline page");
    }
    return bucket;
  }
  value.remove_prefix(sizeof(BucketHeader));
  const char* reason = nullptr;
  if (!Page::Parse(value, &bucket.leaf, &reason)) {
    return source.Damaged(where, std::string("inline bucket: ") + reason);
  }
  if (!bucket.leaf.is_leaf()) {
    return source.Damaged(where, "inline bucket: a branch");
  }
  return bucket;
}

StatusOr<std::optional<Item>> Find(const PageSource& source,
                                   const Bucket& bucket, std::string_view key) {
  if (!bucket.exists) return std::optional<Item>();
  if (bucket.root == 0) {
    RETURN_IF_ERROR(source.CheckSumOf(bucket.where));
    return FindOnLeaf(source, bucket.where, bucket.leaf, {}, key);
  }
  PageId id(bucket.root);
  std::string_view first;
  for (int depth = 0; depth <= kMaxDepth; ++depth) {
    ASSIGN_OR_RETURN(Page page, source.Read(id));
    if (page.is_leaf()) return FindOnLeaf(source, id, page, first, key);
    ASSIGN_OR_RETURN(id, ChildAt(source, id, page, page.ChildFor(key), &first));
  }
  return TooDeep(source, id);
}

StatusOr<Bucket> FindBucket(const PageSource& source, PageId root,
                            std::string_view name) {
  ASSIGN_OR_RETURN(std::optional<Item> item,
                   Find(source, Bucket::AtRoot(root), name));
  if (!item) return Bucket();
  if (item->flags != kBucketFlag) {
    return source.Damaged(root, "'" + std::string(name) + "' is no bucket");
  }
  return ParseBucket(source, root, item->value);
}

void Cursor::SeekToFirst() { Start(nullptr); }

void Cursor::Seek(std::string_view key) { Start(&key); }

void Cursor::Next() {
  ++path_.back().at;
  Settle();
}

void Cursor::Start(const std::string_view* key) {
  path_.clear();
  valid_ = false;
  status_ = Status::Ok();
  if (!bucket_->exists) return;
  if (bucket_->root == 0) {
    status_ = source_->CheckSumOf(bucket_->where);
    if (!status_.ok()) return;
    Descend(bucket_->where, bucket_->leaf, key);
  } else {
    PageId root(bucket_->root);
    StatusOr<Page> page = source_->Read(root);
    if (!page.ok()) return Fail(page.status());
    Descend(root, *page, key);
  }
  if (status_.ok()) Settle();
}

void Cursor::Descend(PageId id, Page page, const std::string_view* key) {
  for (;;) {
    if (path_.size() > kMaxDepth) return Fail(TooDeep(*source_, id));
    int at = 0;
    if (key != nullptr) {
      at = page.is_leaf() ? page.LowerBound(*key) : page.ChildFor(*key);
      if (at < 0) return Fail(source_->Damaged(id, kOutside));
    }
    path_.push_back({id, page, at});
    if (page.is_leaf()) return;
    if (page.count() == 0) {
      return Fail(source_->Damaged(id, "a branch without child"));
    }
    StatusOr<PageId> child = ChildAt(*source_, id, page, at);
    if (!child.ok()) return Fail(child.status());
    StatusOr<Page> next = source_->Read(*child);
    if (!next.ok()) return Fail(next.status());
    id = *child;
    page = *next;
  }
}

void Cursor::Settle() {
  for (;;) {
    Level& leaf = path_.back();
    if (leaf.at < leaf.page.count()) {
      if (!leaf.page.Get(leaf.at, &item_)) {
        return Fail(source_->Damaged(leaf.id, kOutside));
      }
      if (item_.flags == flags_) {
        valid_ = true;
        return;
      }
      ++leaf.at;
    } else if (!NextLeaf()) {
      valid_ = false;
      return;
    }
  }
}

// Up to the first branch with a further child, and down its left edge.
bool Cursor::NextLeaf() {
  do {
    path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().at;
  } while (path_.back().at >= path_.back().page.count());
  Level& branch = path_.back();
  StatusOr<PageId> child = ChildAt(*source_, branch.id, branch.page, branch.at);
  StatusOr<Page> page =
      child.ok() ? source_->Read(*child) : StatusOr<Page>(child.status());
  if (!page.ok()) {
    Fail(page.status());
    return false;
  }
  Descend(*child, *page, nullptr);
  return status_.ok();
}

void Cursor::Fail(Status status) {
  status_ = std::move(status);
  valid_ = false;
}

}  // namespace strata::btree
