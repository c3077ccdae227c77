#include "engine/sorted_keys.h"

#include <algorithm>

#include "base/check.h"

namespace strata {

SortedKeys::SortedKeys(SortTarget target, SortOrder order, int64_t limit,
                       const ReadState* state)
    : target_(target),
      descend_(order == SortOrder::kDescend),
      limit_(limit <= 0 ? SIZE_MAX : static_cast<size_t>(limit)),
      state_(state) {
  CHECK(target != SortTarget::kKey) << "the walk goes in that order";
}

Status SortedKeys::Fill(const KeyState& key, Row* row) const {
  row->key = key;
  switch (target_) {
    case SortTarget::kVersion:
      row->number = key.version;
      break;
    case SortTarget::kCreate:
      row->number = key.create_revision.value();
      break;
    case SortTarget::kMod:
      row->number = key.id.main.value();
      break;
    case SortTarget::kValue: {
      ASSIGN_OR_RETURN(const std::string_view bytes, state_->Value(key.id));
      ASSIGN_OR_RETURN(const KeyValue kv, DecodeKeyValue(bytes));
      row->value = kv.value;
      break;
    }
    case SortTarget::kKey:
      break;
  }
  return Status::Ok();
}

bool SortedKeys::Before(const Row& a, const Row& b) const {
  if (a.number != b.number) return (a.number < b.number) != descend_;
  const int order = a.value.compare(b.value);
  if (order != 0) return (order < 0) != descend_;
  return a.turn < b.turn;
}

Status SortedKeys::Add(const KeyState& key) {
  const auto before = [this](const Row& a, const Row& b) {
    return Before(a, b);
  };
  Row row;
  RETURN_IF_ERROR(Fill(key, &row));
  row.turn = added_++;
  if (rows_.size() < limit_) {
    rows_.push_back(row);
    if (rows_.size() == limit_) {
      std::make_heap(rows_.begin(), rows_.end(), before);
    }
  } else if (Before(row, rows_.front())) {
    std::pop_heap(rows_.begin(), rows_.end(), before);
    rows_.back() = row;
    std::push_heap(rows_.begin(), rows_.end(), before);
  }
  return Status::Ok();
}

std::vector<KeyState> SortedKeys::Take() {
  std::sort(rows_.begin(), rows_.end(),
            [this](const Row& a, const Row& b) { return Before(a, b); });
  std::vector<KeyState> keys;
  keys.reserve(rows_.size());
  for (const Row& row : rows_) keys.push_back(row.key);
  return keys;
}

}  // namespace strata
