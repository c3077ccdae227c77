#ifndef STRATA_ENGINE_KEY_SLOTS_H_
#define STRATA_ENGINE_KEY_SLOTS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"

namespace strata {

// A small sorted array of things that have a key(), searched with few cache
// misses: beside each pointer lie the 8 bytes of its key that follow what all
// keys of the array have in common, as a number that sorts as they do. Only
// ties look at the keys themselves.
//
//   keys  /pods/a1  /pods/a2  /pods/b      common: 6 bytes  "/pods/"
//   heads       a1        a2        b
//
// Holds pointers, owns nothing. A value.
template <typename T, size_t kCapacity>
class KeySlots {
 public:
  size_t size() const { return size_; }
  bool full() const { return size_ == kCapacity; }
  T* operator[](size_t i) const { return items_[i]; }

  // The first slot whose key is >= `key`; `*equal` says whether it is equal.
  size_t LowerBound(std::string_view key, bool* equal) const {
    *equal = false;
    if (size_ == 0) return 0;
    const int side = CompareCommon(key);
    if (side != 0) return side < 0 ? 0 : size_;
    return LowerBoundAfterCommon(key, equal);
  }

  // The slot whose key is `key`, or kNowhere. It need not look at what the keys
  // have in common: the one that it finds equal has it too.
  static constexpr size_t kNowhere = SIZE_MAX;
  size_t Find(std::string_view key) const {
    if (key.size() < common_) return kNowhere;
    bool equal = false;
    const size_t slot = LowerBoundAfterCommon(key, &equal);
    return equal ? slot : kNowhere;
  }

  // The number of slots with keys <= `key`.
  size_t UpperBound(std::string_view key) const {
    bool equal;
    const size_t slot = LowerBound(key, &equal);
    return slot + (equal ? 1 : 0);
  }

  // REQUIRES: !full(), and the order stays
  void Insert(size_t slot, T* item) {
    const bool fits = size_ > 0 && CompareCommon(item->key()) == 0;
    std::copy_backward(items_ + slot, items_ + size_, items_ + size_ + 1);
    std::copy_backward(heads_ + slot, heads_ + size_, heads_ + size_ + 1);
    items_[slot] = item;
    ++size_;
    if (fits) {
      heads_[slot] = Head(item->key());
    } else {
      Rehead();
    }
  }

  void Erase(size_t slot) {
    std::copy(items_ + slot + 1, items_ + size_, items_ + slot);
    std::copy(heads_ + slot + 1, heads_ + size_, heads_ + slot);
    --size_;
  }

  // Moves the slots from `from` on to the end of `to`.
  void MoveTail(size_t from, KeySlots* to) {
    std::copy(items_ + from, items_ + size_, to->items_ + to->size_);
    to->size_ += static_cast<uint32_t>(size_ - from);
    size_ = static_cast<uint32_t>(from);
    Rehead();
    to->Rehead();
  }

 private:
  // Right as to `*equal`; as to the slot if `key` begins as all keys do.
  size_t LowerBoundAfterCommon(std::string_view key, bool* equal) const {
    const uint64_t head = Head(key);
    size_t low = static_cast<size_t>(
        std::lower_bound(heads_, heads_ + size_, head) - heads_);
    size_t high = low;
    while (high < size_ && heads_[high] == head) ++high;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      const int order = items_[middle]->key().compare(key);
      if (order == 0) {
        *equal = true;
        return middle;
      }
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  // The 8 bytes after the common ones, zeros behind the end. Two keys with
  // different heads sort as their heads do.
  uint64_t Head(std::string_view key) const {
    const size_t left = key.size() - common_;
    if (left >= 8) return LoadBig64(key.data() + common_);
    char bytes[8] = {};
    key.copy(bytes, left, common_);  // an empty key may have no bytes to name
    return LoadBig64(bytes);
  }

  // Which side of all the keys `key` is on by the common bytes; 0 if it has
  // them too.
  int CompareCommon(std::string_view key) const {
    const size_t n = std::min<size_t>(common_, key.size());
    const char* const common =
        common_ <= kInline ? inline_ : items_[0]->key().data();
    const int order = key.substr(0, n).compare(std::string_view(common, n));
    if (order != 0) return order;
    return key.size() < common_ ? -1 : 0;
  }

  static size_t Common(std::string_view a, std::string_view b) {
    const size_t n = std::min(a.size(), b.size());
    size_t i = 0;
    while (i < n && a[i] == b[i]) ++i;
    return i;
  }

  void Rehead() {
    if (size_ == 0) return;
    common_ = static_cast<uint32_t>(
        size_ == 1 ? items_[0]->key().size()
                   : Common(items_[0]->key(), items_[size_ - 1]->key()));
    if (common_ <= kInline) {
      std::memcpy(inline_, items_[0]->key().data(), common_);
    }
    for (size_t i = 0; i < size_; ++i) heads_[i] = Head(items_[i]->key());
  }

  // Common bytes up to so many are kept here, so that a search need not touch
  // the first key for them.
  static constexpr size_t kInline = 40;

  uint32_t size_ = 0;
  uint32_t common_ = 0;  // bytes that all keys begin with
  char inline_[kInline];
  uint64_t heads_[kCapacity];
  T* items_[kCapacity];
};

}  // namespace strata

#endif  // STRATA_ENGINE_KEY_SLOTS_H_
