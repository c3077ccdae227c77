#include "engine/btree/transaction.h"

#include <algorithm>
#include <utility>

#include "engine/btree/sum.h"

namespace strata::btree {

void SortChanges(std::vector<Change>* changes) {
  auto before = [](const Change& a, const Change& b) { return a.key < b.key; };
  if (!std::is_sorted(changes->begin(), changes->end(), before)) {
    std::stable_sort(changes->begin(), changes->end(), before);
  }
  auto out = changes->begin();
  for (auto at = changes->begin(); at != changes->end(); ++at) {
    if (at + 1 != changes->end() && (at + 1)->key == at->key) continue;
    *out++ = *at;
  }
  changes->erase(out, changes->end());
}

Transaction::Transaction(const PageSource& source, const Meta& meta,
                         Freelist* freelist, PageBuffers* buffers,
                         const Options& options)
    : source_(source),
      options_(options),
      freelist_(freelist),
      buffers_(buffers),
      meta_(meta) {
  ++meta_.tx;
}

Transaction::~Transaction() {
  for (auto* const runs : {&dirty_, &retired_}) {
    for (DirtyRun& run : *runs) buffers_->Give(std::move(run.bytes));
  }
}

Status Transaction::Apply(std::string_view name,
                          const std::vector<Change>& changes) {
  if (changes.empty()) return Status::Ok();
  ASSIGN_OR_RETURN(Bucket bucket,
                   FindBucket(source_, PageId(meta_.root.root), name));
  TreeMerge merge(&source_, this, options_.fill);
  std::optional<Node> root;
  if (!bucket.exists) {
    const bool puts = std::any_of(
        changes.begin(), changes.end(),
        [](const Change& change) { return !change.erase && !change.touch; });
    if (!puts) return Status::Ok();
  }
  if (bucket.root == 0) {
    ASSIGN_OR_RETURN(root,
                     merge.MergeInline(bucket.where, bucket.leaf, changes));
  } else {
    ASSIGN_OR_RETURN(root, merge.Merge(PageId(bucket.root), changes));
  }
  if (!root) return Status::Ok();
  ASSIGN_OR_RETURN(std::string value,
                   BucketValue(bucket, std::move(*root), &merge));
  PutBucket(name, std::move(value));
  return Status::Ok();
}

Status Transaction::CreateBucket(std::string_view name) {
  ASSIGN_OR_RETURN(Bucket bucket,
                   FindBucket(source_, PageId(meta_.root.root), name));
  if (bucket.exists) return Status::Ok();
  TreeMerge merge(&source_, this, options_.fill);
  ASSIGN_OR_RETURN(std::string value, BucketValue(bucket, Node(), &merge));
  PutBucket(name, std::move(value));
  return Status::Ok();
}

Status Transaction::Touch(std::string_view bucket,
                          const std::vector<std::string>& keys) {
  std::vector<Change> changes;
  changes.reserve(keys.size());
  for (const std::string& key : keys) {
    changes.push_back({.key = key, .value = {}, .touch = true});
  }
  return Apply(bucket, changes);
}

StatusOr<bool> Transaction::Finish() {
  std::vector<Change> changes;
  if (options_.shrink)
    changes.push_back({.key = {}, .value = {}, .touch = true});
  for (const auto& bucket : buckets_) {
    changes.push_back(
        {.key = bucket->first, .value = bucket->second, .flags = kBucketFlag});
  }
  SortChanges(&changes);
  TreeMerge merge(&source_, this, options_.fill);
  ASSIGN_OR_RETURN(std::optional<Node> root,
                   merge.Merge(PageId(meta_.root.root), changes));
  if (!root) return false;
  ASSIGN_OR_RETURN(PageId id, merge.WriteRoot(std::move(*root)));
  meta_.root.root = id.value();
  RETURN_IF_ERROR(WriteFreelist());
  std::sort(
      dirty_.begin(), dirty_.end(),
      [](const DirtyRun& a, const DirtyRun& b) { return a.first < b.first; });
  for (DirtyRun& run : dirty_) Seal(run.bytes.data(), run.bytes.size());
  return true;
}

// The element of the bucket in its parent: with the tree's root, or with its
// one leaf if that is small.
StatusOr<std::string> Transaction::BucketValue(const Bucket& bucket, Node root,
                                               TreeMerge* merge) {
  BucketHeader header = {0, bucket.sequence};
  std::string value;
  if (CanBeInline(root)) {
    value.resize(sizeof header + NodeBytes(root));
    EncodeNode(root, PageId(0), 0, value.data() + sizeof header);
  } else {
    ASSIGN_OR_RETURN(PageId id, merge->WriteRoot(std::move(root)));
    header.root = id.value();
    value.resize(sizeof header);
  }
  std::memcpy(value.data(), &header, sizeof header);
  return value;
}

// bbolt's rule: one leaf of at most a quarter page without buckets in it.
bool Transaction::CanBeInline(const Node& root) const {
  return root.leaf && NodeBytes(root) <= meta_.page_size / 4 &&
         std::none_of(root.items.begin(), root.items.end(),
                      [](const Item& item) { return item.flags != 0; });
}

void Transaction::PutBucket(std::string_view name, std::string value) {
  buckets_.push_back(std::make_unique<std::pair<std::string, std::string>>(
      name, std::move(value)));
}

StatusOr<PageId> Transaction::WriteNode(const Node& node) {
  const uint64_t pages = PagesForBytes(NodeBytes(node), meta_.page_size);
  const PageId id = AllocatePages(pages);
  std::string bytes = buffers_->Take(pages * meta_.page_size);
  EncodeNode(node, id, static_cast<uint32_t>(pages - 1), bytes.data());
  dirty_.push_back({id, std::move(bytes)});
  dirty_ids_.insert(id);
  return id;
}

StatusOr<Page> Transaction::ReadPage(PageId id) {
  auto dirty = FindDirty(id);
  if (dirty == dirty_.end()) return source_.Read(id);
  Page page;
  const char* reason = nullptr;
  CHECK(Page::Parse(dirty->bytes, &page, &reason)) << reason;
  return page;
}

void Transaction::FreePage(PageId id) {
  uint64_t pages = 0;
  if (auto dirty = FindDirty(id); dirty != dirty_.end()) {
    pages = dirty->bytes.size() / meta_.page_size;
    retired_.push_back(std::move(*dirty));
    dirty_.erase(dirty);
    dirty_ids_.erase(id);
  } else {
    pages = uint64_t{source_.header(id).overflow} + 1;
  }
  freed_.push_back({id, pages});
  freelist_->Free(this->id(), freed_.back());
}

std::vector<DirtyRun>::iterator Transaction::FindDirty(PageId id) {
  if (!dirty_ids_.contains(id)) return dirty_.end();
  return std::find_if(dirty_.begin(), dirty_.end(),
                      [id](const DirtyRun& run) { return run.first == id; });
}

PageId Transaction::AllocatePages(uint64_t count) {
  if (auto first = freelist_->Allocate(id(), count)) return *first;
  PageId first(meta_.high_water);
  meta_.high_water += count;
  freelist_->Taken(id(), first);
  return first;
}

void Transaction::CutTail() {
  if (!options_.shrink) return;
  meta_.high_water -= freelist_->CutTail(PageId(meta_.high_water));
}

Status Transaction::WriteFreelist() {
  if (meta_.freelist != kNoFreelist) FreePage(PageId(meta_.freelist));
  meta_.freelist = kNoFreelist;
  if (!options_.freelist_sync) {
    CutTail();
    return Status::Ok();
  }
  // Taking the pages makes the list shorter, never longer.
  const uint64_t pages = Freelist::PagesFor(
      freelist_->free_count() + freelist_->pending_count(), meta_.page_size);
  const PageId id = AllocatePages(pages);
  CutTail();
  std::vector<PageRun> runs;
  if (!freelist_->All(&runs)) {
    return DataLossError(source_.path() + ": a page was freed twice");
  }
  dirty_.push_back({id, Freelist::Encode(runs, id, pages, meta_.page_size)});
  meta_.freelist = id.value();
  return Status::Ok();
}

}  // namespace strata::btree
