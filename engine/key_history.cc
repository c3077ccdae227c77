#include "engine/key_history.h"

#include <algorithm>

#include "base/check.h"

namespace strata {

KeyState KeyHistory::Put(ChangeId id) {
  const uint32_t ordinal = live() ? last().ordinal + 1 : 1;
  if (size_ == 0) first_create_ = id.main.value();
  Append({id.main.value(), id.sub, ordinal});
  return StateOf(size_ - 1);
}

void KeyHistory::Delete(ChangeId id) {
  CHECK(live()) << "delete of a key that is not there at " << id.main;
  Append({id.main.value(), id.sub, 0});
}

void KeyHistory::Restore(ChangeId id, Revision create_revision,
                         int64_t version) {
  CHECK(empty());
  first_create_ = create_revision.value();
  first_forgotten_ = version - 1;
  Append({id.main.value(), id.sub, 1});
}

void KeyHistory::RestoreTombstone(ChangeId id) {
  CHECK(empty());
  Append({id.main.value(), id.sub, 0});
}

size_t KeyHistory::CountUpTo(Revision at) const {
  const Change* begin = changes();
  if (size_ == 0 || begin[size_ - 1].main <= at.value()) return size_;
  const Change* end = std::upper_bound(
      begin, begin + size_, at.value(),
      [](int64_t main, const Change& change) { return main < change.main; });
  return static_cast<size_t>(end - begin);
}

KeyState KeyHistory::StateOf(size_t index) const {
  const Change& change = changes()[index];
  const size_t first = index - (change.ordinal - 1);
  if (first == 0) {
    return {change.id(), Revision(first_create_),
            first_forgotten_ + change.ordinal};
  }
  return {change.id(), Revision(changes()[first].main), change.ordinal};
}

std::optional<KeyState> KeyHistory::Get(Revision at) const {
  const size_t count = CountUpTo(at);
  if (count == 0 || changes()[count - 1].tombstone()) return std::nullopt;
  return StateOf(count - 1);
}

std::vector<ChangeId> KeyHistory::Since(Revision from) const {
  std::vector<ChangeId> ids;
  for (size_t i = CountUpTo(from - 1); i < size_; ++i) {
    const ChangeId id = changes()[i].id();
    if (!ids.empty() && ids.back().main == id.main) {
      ids.back() = id;
    } else {
      ids.push_back(id);
    }
  }
  return ids;
}

void KeyHistory::Compact(Revision at, bool keep_tombstone,
                         std::vector<RemovedChange>* removed) {
  size_t drop = CountUpTo(at);
  if (drop == 0) return;
  const Change& newest = changes()[drop - 1];
  const bool kept_tombstone = keep_tombstone && newest.main == at.value();
  if (!newest.tombstone() || kept_tombstone) --drop;
  for (size_t i = 0; i < drop; ++i) {
    removed->push_back({changes()[i].id(), changes()[i].tombstone()});
  }
  if (drop > 0) EraseFront(drop);
}

void KeyHistory::Append(Change change) {
  CHECK(size_ == 0 || last().id() < change.id())
      << "change " << change.main << "." << change.sub << " after "
      << last().main << "." << last().sub;
  if (size_ == capacity_) Reallocate(capacity_ * 2);
  changes()[size_++] = change;
}

void KeyHistory::EraseFront(size_t count) {
  if (count < size_ && changes()[count].ordinal > 1) {
    // The cut goes through a generation: what is left counts from 1 again.
    const KeyState first = StateOf(count);
    first_create_ = first.create_revision.value();
    first_forgotten_ = first.version - 1;
    const uint32_t forgotten = changes()[count].ordinal - 1;
    for (size_t i = count; i < size_ && !changes()[i].tombstone(); ++i) {
      changes()[i].ordinal -= forgotten;
    }
  } else if (count < size_) {
    first_create_ = changes()[count].main;
    first_forgotten_ = 0;
  }
  std::copy(changes() + count, changes() + size_, changes());
  size_ -= static_cast<uint32_t>(count);
  if (capacity_ > 1 && size_ <= capacity_ / 4) {
    Reallocate(std::max(size_, uint32_t{1}));
  }
}

void KeyHistory::Reallocate(uint32_t capacity) {
  Change* old = capacity_ == 1 ? nullptr : many_;
  if (capacity == 1) {
    const Change only = changes()[0];
    one_ = only;
  } else {
    Change* grown = new Change[capacity];
    std::copy(changes(), changes() + size_, grown);
    many_ = grown;
  }
  delete[] old;
  capacity_ = capacity;
}

void KeyHistory::Release() {
  if (capacity_ > 1) delete[] many_;
  capacity_ = 1;
  size_ = 0;
}

std::string KeyHistory::ToString() const {
  std::string text;
  bool open = false;
  for (size_t i = 0; i < size_; ++i) {
    const Change& change = changes()[i];
    if (!open) {
      if (!text.empty()) text += ' ';
      if (!change.tombstone() && StateOf(i).version != 1) {
        text += "v" + std::to_string(StateOf(i).version);
      }
    }
    text += open ? " " : "{";
    text += std::to_string(change.main) + "." + std::to_string(change.sub);
    open = !change.tombstone();
    if (!open) text += "t}";
  }
  return open ? text + "}" : text;
}

void KeyHistory::Check() const {
  CHECK_LE(size_, capacity_);
  uint32_t expected = 1;
  for (size_t i = 0; i < size_; ++i) {
    const Change& change = changes()[i];
    if (i > 0) CHECK(changes()[i - 1].id() < change.id());
    CHECK(change.tombstone() || change.ordinal == expected)
        << change.main << " has ordinal " << change.ordinal;
    expected = change.tombstone() ? 1 : expected + 1;
  }
}

}  // namespace strata
