#ifndef STRATA_ENGINE_BTREE_PAGE_H_
#define STRATA_ENGINE_BTREE_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "engine/btree/ids.h"
#include "engine/btree/page_notes.h"

namespace strata::btree {

// The bytes of bbolt's file, little-endian; format.md has the whole of it.

inline constexpr uint16_t kBranchPage = 0x01;
inline constexpr uint16_t kLeafPage = 0x02;
inline constexpr uint16_t kMetaPage = 0x04;
inline constexpr uint16_t kFreelistPage = 0x10;

// A leaf element with this flag is a bucket: its value is a BucketHeader.
inline constexpr uint32_t kBucketFlag = 0x01;

struct PageHeader {
  uint64_t id;
  uint16_t flags;
  uint16_t count;     // of elements, or of free ids
  uint32_t overflow;  // pages that follow and belong to this one
};
static_assert(sizeof(PageHeader) == 16);

// `position` counts from the element's own first byte.
struct BranchElement {
  uint32_t position;
  uint32_t key_bytes;
  uint64_t child;
};
static_assert(sizeof(BranchElement) == 16);

struct LeafElement {
  uint32_t flags;
  uint32_t position;  // of the key; the value follows it
  uint32_t key_bytes;
  uint32_t value_bytes;
};
static_assert(sizeof(LeafElement) == 16);

struct BucketHeader {
  uint64_t root;  // 0: one leaf page follows, inline
  uint64_t sequence;
};
static_assert(sizeof(BucketHeader) == 16);

inline constexpr size_t kHeaderBytes = sizeof(PageHeader);
inline constexpr size_t kElementBytes = 16;
// The count is 16 bits, and its highest value has a meaning in a freelist.
inline constexpr size_t kMaxElements = 0xFFFE;

inline constexpr uint32_t kMinPageSize = 1024;
inline constexpr uint32_t kMaxPageSize = 64 << 10;
// Deeper is damage: a loop.
inline constexpr int kMaxDepth = 48;

template <typename T>
T Load(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// One element of a branch or leaf.
struct Item {
  uint32_t flags = 0;
  std::string_view key;
  std::string_view value;  // of a leaf
  PageId child;            // of a branch
};

// a < b. Keys of revisions differ in their first eight bytes, so mostly that is
// one comparison of numbers.
inline bool KeyLess(std::string_view a, std::string_view b) {
  if (a.size() >= 8 && b.size() >= 8) [[likely]] {
    const uint64_t x = LoadBig64(a.data());
    const uint64_t y = LoadBig64(b.data());
    if (x != y) return x < y;
  }
  return a < b;
}

// A borrowed branch or leaf page with the pages that follow it. Every access is
// checked against its bytes, so that a damaged page can not lead outside. A
// value; the bytes must outlive it.
class Page {
 public:
  Page() = default;

  // `bytes` is the page with its overflow. False, with the reason, if the
  // header is not that of a branch or leaf that fits.
  static bool Parse(std::string_view bytes, Page* page, const char** reason) {
    if (bytes.size() < kHeaderBytes) {
      *reason = "a page of less than its header";
      return false;
    }
    auto header = Load<PageHeader>(bytes.data());
    if (header.flags != kLeafPage && header.flags != kBranchPage) {
      *reason = "neither a branch nor a leaf";
      return false;
    }
    if (kHeaderBytes + header.count * kElementBytes > bytes.size()) {
      *reason = "more elements than fit";
      return false;
    }
    page->data_ = bytes.data();
    page->bytes_ = bytes.size();
    page->count_ = header.count;
    page->leaf_ = header.flags == kLeafPage;
    return true;
  }

  bool is_leaf() const { return leaf_; }
  int count() const { return count_; }
  size_t bytes() const { return bytes_; }

  // False if the element leads outside the page. REQUIRES: 0 <= i < count()
  bool Key(int i, std::string_view* key) const {
    size_t at = kHeaderBytes + i * kElementBytes;
    auto element = Load<uint64_t>(data_ + at + (leaf_ ? 4 : 0));
    uint64_t start = at + static_cast<uint32_t>(element);
    uint64_t size = element >> 32;
    if (start + size > bytes_) [[unlikely]] {
      return false;
    }
    *key = std::string_view(data_ + start, size);
    return true;
  }

  bool Get(int i, Item* item) const {
    if (!Key(i, &item->key)) return false;
    size_t at = kHeaderBytes + i * kElementBytes;
    if (!leaf_) {
      item->child = PageId(Load<BranchElement>(data_ + at).child);
      return true;
    }
    auto element = Load<LeafElement>(data_ + at);
    const char* value = item->key.data() + element.key_bytes;
    if (element.value_bytes > bytes_ - (value - data_)) [[unlikely]] {
      return false;
    }
    item->flags = element.flags;
    item->value = std::string_view(value, element.value_bytes);
    return true;
  }

  // Where the item's bytes begin, from the page's first byte.
  size_t PositionOf(const Item& item) const { return item.key.data() - data_; }

  // The first element whose key is >= `key`, count() if there is none; -1 if an
  // element looked at leads outside the page.
  int LowerBound(std::string_view key) const {
    int low = 0;
    int high = count_;
    while (low < high) {
      int middle = (low + high) / 2;
      std::string_view at;
      if (!Key(middle, &at)) return -1;
      if (KeyLess(at, key)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  // The child of a branch that `key` belongs to: the last whose first key is
  // <= `key`, or the first; -1 as above.
  int ChildFor(std::string_view key) const {
    int at = LowerBound(key);
    if (at < 0) return at;
    std::string_view found;
    if (at < count_ && !Key(at, &found)) return -1;
    if (at < count_ && found == key) return at;
    return at == 0 ? 0 : at - 1;
  }

 private:
  const char* data_ = nullptr;
  size_t bytes_ = 0;
  int count_ = 0;
  bool leaf_ = true;
};

// What a state says of its pages' sums (sum.h).
enum class SumRule {
  kUnchecked,  // they are not looked at: pages being made in memory
  kIfThere,    // a page without one is taken as it is
  kEverywhere  // a page without one is damaged: the state's meta has the mark
};

// The pages of one state in memory: ids below `high_water`. A value; the memory
// must outlive it.
class PageSource {
 public:
  PageSource() = default;
  // REQUIRES: `data` holds high_water pages.
  PageSource(const char* data, uint32_t page_size, PageId high_water,
             const std::string* path)
      : data_(data),
        page_size_(page_size),
        high_water_(high_water),
        path_(path) {}

  // The same pages, each one's sum checked when `notes` do not say that it was.
  // What is found is noted. REQUIRES: `notes` have room for all pages
  PageSource WithSums(SumRule rule, PageNotes* notes) const;
  // The same, checked at each use.
  PageSource CheckedAgain() const;
  SumRule sum_rule() const { return sum_rule_; }

  // The branch or leaf page `id`; DataLoss if it is not one.
  StatusOr<Page> Read(PageId id) const {
    Page page;
    const char* reason = Parse(id, &page);
    if (reason != nullptr) [[unlikely]] {
      return Damaged(id, reason);
    }
    RETURN_IF_ERROR(CheckSumOf(id));
    return page;
  }

  // OK if the page, of whatever kind, is inside and sound as far as its sum can
  // tell.
  Status Verify(PageId id) const {
    const char* reason = CheckExtent(id);
    return reason != nullptr ? Damaged(id, reason) : CheckSumOf(id);
  }
  // The same for a page whose extent was checked.
  // REQUIRES: CheckExtent(id) found nothing
  Status CheckSumOf(PageId id) const {
    if (known_ == nullptr || !known_->sound(id)) [[unlikely]] {
      return VerifySum(id);
    }
    return Status::Ok();
  }

  // The page's header. REQUIRES: id < high_water()
  PageHeader header(PageId id) const { return Load<PageHeader>(at(id)); }
  const char* at(PageId id) const { return data_ + id.value() * page_size_; }

  uint32_t page_size() const { return page_size_; }
  PageId high_water() const { return high_water_; }
  const std::string& path() const { return *path_; }

  // "data/member/snap/db offset 12288: page 3: neither a branch nor a leaf"
  Status Damaged(PageId id, std::string_view what) const;

  // Whether `id` and what follows it are inside; the reason if not.
  const char* CheckExtent(PageId id) const {
    if (id >= high_water_) return "beyond the last page";
    PageHeader head = header(id);
    if (head.id != id.value()) return "holds another page's number";
    if (head.overflow >= high_water_ - id) {
      return "reaches beyond the last page";
    }
    return nullptr;
  }

 private:
  const char* Parse(PageId id, Page* page) const {
    const char* reason = CheckExtent(id);
    if (reason != nullptr) return reason;
    std::string_view bytes(at(id),
                           (uint64_t{header(id).overflow} + 1) * page_size_);
    if (Page::Parse(bytes, page, &reason)) return nullptr;
    return reason;
  }

  Status VerifySum(PageId id) const;

  const char* data_ = nullptr;
  uint32_t page_size_ = 0;
  PageId high_water_;
  const std::string* path_ = nullptr;
  SumRule sum_rule_ = SumRule::kUnchecked;
  PageNotes* notes_ = nullptr;
  const PageNotes* known_ =
      nullptr;  // notes_, unless each use is to be checked
};

}  // namespace strata::btree

#endif  // STRATA_ENGINE_BTREE_PAGE_H_
