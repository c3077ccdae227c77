#include "engine/restore_batch.h"

#include <algorithm>

#include "base/bytes.h"

namespace strata {
namespace {

// Groups of so few are compared key by key.
constexpr size_t kSmallGroup = 24;
// Keys that are still alike behind so many heads, too.
constexpr int kMaxDepth = 16;

// Zeros stand behind the end of a short key.
uint64_t HeadAt(std::string_view key, size_t at) {
  if (key.size() >= at + 8) return LoadBig64(key.data() + at);
  char bytes[8] = {};
  if (key.size() > at) key.copy(bytes, key.size() - at, at);
  return LoadBig64(bytes);
}

StatusOr<RestoreBatch::Row> Decode(std::string_view key,
                                   std::string_view value) {
  RestoreBatch::Row row;
  if (!ParseRevisionKey(key, &row.id, &row.tombstone)) {
    return DataLossError("the key table has a key that is no revision: " +
                         Printable(key));
  }
  ASSIGN_OR_RETURN(const KeyValue kv, DecodeKeyValue(value));
  row.key = kv.key;
  row.create = kv.create_revision.value();
  row.version = kv.version;
  row.lease = kv.lease;
  return row;
}

}  // namespace

Status RestoreBatch::Read(View::Iterator* iterator, size_t max_rows) {
  rows_.clear();
  copies_.clear();
  for (; iterator->Valid() && rows_.size() < max_rows; iterator->Next()) {
    ASSIGN_OR_RETURN(Row row, Decode(iterator->key(), iterator->value()));
    if (!iterator->stays()) row.key = copies_.emplace_back(row.key);
    rows_.push_back(row);
  }
  RETURN_IF_ERROR(iterator->status());
  Sort();
  return Status::Ok();
}

void RestoreBatch::Sort() {
  order_.resize(rows_.size());
  for (size_t i = 0; i < rows_.size(); ++i) {
    order_[i] = {0, static_cast<uint32_t>(i)};
  }
  SortGroup(order_, 0, 0);
}

// REQUIRES: the keys have `common` bytes in common (or end before), and the
// items are in the order of their rows.
void RestoreBatch::SortGroup(std::span<Item> items, size_t common, int depth) {
  if (items.size() <= kSmallGroup || depth == kMaxDepth) {
    return SortByKey(items);
  }
  const size_t now = CommonBytes(items, common);
  if (now < common) return SortByKey(items);  // some have ended
  for (Item& item : items) item.head = HeadAt(rows_[item.row].key, now);
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.head != b.head ? a.head < b.head : a.row < b.row;
  });
  for (size_t begin = 0; begin < items.size();) {
    size_t end = begin + 1;
    while (end < items.size() && items[end].head == items[begin].head) ++end;
    if (end - begin > 1) {
      SortGroup(items.subspan(begin, end - begin), now + 8, depth + 1);
    }
    begin = end;
  }
}

void RestoreBatch::SortByKey(std::span<Item> items) {
  std::sort(items.begin(), items.end(), [this](const Item& a, const Item& b) {
    const int order = rows_[a.row].key.compare(rows_[b.row].key);
    return order != 0 ? order < 0 : a.row < b.row;
  });
}

// At least `known`, unless a key is shorter.
size_t RestoreBatch::CommonBytes(std::span<const Item> items,
                                 size_t known) const {
  const std::string_view first = rows_[items[0].row].key;
  size_t common = first.size();
  for (const Item& item : items) {
    const std::string_view key = rows_[item.row].key;
    const size_t end = std::min(common, key.size());
    size_t i = std::min(known, end);
    while (i < end && key[i] == first[i]) ++i;
    common = i;
  }
  return common;
}

}  // namespace strata
