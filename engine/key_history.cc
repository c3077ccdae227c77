#include "engine/key_history.h"

#include <algorithm>
#include <bit>
#include <new>

#include "base/check.h"

namespace strata {

namespace {

constexpr int kSubBits = 16;
constexpr int kMainBits = 48;
// Of a block made for a second change.
constexpr uint32_t kFirstCapacity = 2;

}  // namespace

// --- the two forms ---

KeyHistory::Block* KeyHistory::block() const {
  return reinterpret_cast<Block*>(std::bit_cast<uint64_t>(place_));
}

KeyHistory::Spread KeyHistory::spread() const {
  Spread spread;
  if (empty()) return spread;
  if (in_block()) {
    Block* const many = block();
    spread.size = many->size;
    spread.first_create = many->first_create;
    spread.first_forgotten = many->first_forgotten;
    spread.block = many->changes();
    return spread;
  }
  const uint64_t place = std::bit_cast<uint64_t>(place_);
  spread.size = 1;
  spread.first_create = std::bit_cast<int64_t>(create_);
  spread.only = {.main = static_cast<int64_t>(place >> kSubBits),
                 .sub = static_cast<uint32_t>(place & ((1 << kSubBits) - 1)),
                 .ordinal = version_ == 0 ? 0u : 1u};
  spread.first_forgotten = version_ == 0 ? 0 : int64_t{version_} - 1;
  return spread;
}

bool KeyHistory::StoreInline(const Change& change, int64_t create,
                             int64_t version) {
  const auto main = static_cast<uint64_t>(change.main);
  if (main >> kMainBits != 0 || change.sub >> kSubBits != 0 || version < 0 ||
      version >= int64_t{kBlock}) {
    return false;
  }
  place_ = std::bit_cast<std::array<uint32_t, 2>>(main << kSubBits |
                                                  uint64_t{change.sub});
  create_ = std::bit_cast<std::array<uint32_t, 2>>(create);
  version_ = static_cast<uint32_t>(version);
  return true;
}

void KeyHistory::StoreFirst(const Change& change, int64_t create,
                            int64_t version) {
  CHECK(empty());
  if (StoreInline(change, create, version)) return;
  Spread spread;
  spread.size = 1;
  spread.only = change;
  spread.first_create = create;
  spread.first_forgotten = version - (change.tombstone() ? 0 : 1);
  MoveToBlock(spread, kFirstCapacity);
}

// A block with room for `capacity` changes takes the place of what there was.
void KeyHistory::MoveToBlock(const Spread& from, uint32_t capacity) {
  CHECK_LE(from.size, capacity);
  void* const memory =
      ::operator new(sizeof(Block) + capacity * sizeof(Change));
  auto* const many =
      new (memory) Block{.size = from.size,
                         .capacity = capacity,
                         .first_create = from.first_create,
                         .first_forgotten = from.first_forgotten};
  for (uint32_t i = 0; i < from.size; ++i) many->changes()[i] = from[i];
  Release();
  place_ = std::bit_cast<std::array<uint32_t, 2>>(many);
  version_ = kBlock;
}

void KeyHistory::Release() {
  if (in_block()) ::operator delete(block());
  version_ = kEmpty;
}

void KeyHistory::Append(const Change& change) {
  const Spread now = spread();
  CHECK(now.last().id() < change.id())
      << "change " << change.main << "." << change.sub << " after "
      << now.last().main << "." << now.last().sub;
  if (!in_block()) {
    MoveToBlock(now, kFirstCapacity);
  } else if (now.size == block()->capacity) {
    MoveToBlock(now, block()->capacity * 2);
  }
  block()->changes()[block()->size++] = change;
}

// --- changes ---

bool KeyHistory::live() const {
  if (in_block()) return !spread().last().tombstone();
  return !empty() && version_ != 0;
}

size_t KeyHistory::size() const { return spread().size; }

KeyState KeyHistory::Put(ChangeId id) {
  const Change first{id.main.value(), id.sub, 1};
  if (empty()) {
    StoreFirst(first, id.main.value(), 1);
  } else {
    const Spread now = spread();
    const Change& last = now.last();
    Append({first.main, first.sub, last.tombstone() ? 1 : last.ordinal + 1});
  }
  const Spread now = spread();
  return now.StateOf(now.size - 1);
}

void KeyHistory::Delete(ChangeId id) {
  CHECK(live()) << "delete of a key that is not there at " << id.main;
  Append({id.main.value(), id.sub, 0});
}

void KeyHistory::Restore(ChangeId id, Revision create_revision,
                         int64_t version) {
  StoreFirst({id.main.value(), id.sub, 1}, create_revision.value(), version);
}

void KeyHistory::RestoreTombstone(ChangeId id) {
  StoreFirst({id.main.value(), id.sub, 0}, 0, 0);
}

// --- what there was ---

size_t KeyHistory::Spread::CountUpTo(Revision at) const {
  if (size == 0 || last().main <= at.value()) return size;
  if (block == nullptr) return 0;
  const Change* end = std::upper_bound(
      block, block + size, at.value(),
      [](int64_t main, const Change& change) { return main < change.main; });
  return static_cast<size_t>(end - block);
}

KeyState KeyHistory::Spread::StateOf(size_t index) const {
  const Change& change = (*this)[index];
  const size_t first = index - (change.ordinal - 1);
  if (first == 0) {
    return {change.id(), Revision(first_create),
            first_forgotten + change.ordinal};
  }
  return {change.id(), Revision((*this)[first].main), change.ordinal};
}

std::optional<KeyState> KeyHistory::Get(Revision at) const {
  const Spread now = spread();
  const size_t count = now.CountUpTo(at);
  if (count == 0 || now[count - 1].tombstone()) return std::nullopt;
  return now.StateOf(count - 1);
}

std::vector<ChangeId> KeyHistory::Since(Revision from) const {
  const Spread now = spread();
  std::vector<ChangeId> ids;
  for (size_t i = now.CountUpTo(from - 1); i < now.size; ++i) {
    const ChangeId id = now[i].id();
    if (!ids.empty() && ids.back().main == id.main) {
      ids.back() = id;
    } else {
      ids.push_back(id);
    }
  }
  return ids;
}

// --- compaction ---

void KeyHistory::Compact(Revision at, bool keep_tombstone,
                         std::vector<RemovedChange>* removed) {
  const Spread now = spread();
  size_t drop = now.CountUpTo(at);
  if (drop == 0) return;
  const Change& newest = now[drop - 1];
  const bool kept_tombstone = keep_tombstone && newest.main == at.value();
  if (!newest.tombstone() || kept_tombstone) --drop;
  for (size_t i = 0; i < drop; ++i) {
    const Change& change = now[i];
    removed->push_back({Revision(change.main), change.sub, change.tombstone()});
  }
  if (drop > 0) EraseFront(drop);
}

void KeyHistory::EraseFront(size_t count) {
  Spread left = spread();
  if (count == left.size) return Release();
  // Only a block has more than one.
  Block* const many = block();
  Change* const changes = many->changes();
  if (changes[count].ordinal > 1) {
    // The cut goes through a generation: what is left counts from 1 again.
    const KeyState first = left.StateOf(count);
    left.first_create = first.create_revision.value();
    left.first_forgotten = first.version - 1;
    const uint32_t forgotten = changes[count].ordinal - 1;
    for (size_t i = count; i < left.size && !changes[i].tombstone(); ++i) {
      changes[i].ordinal -= forgotten;
    }
  } else {
    left.first_create = changes[count].main;
    left.first_forgotten = 0;
  }
  left.size -= static_cast<uint32_t>(count);
  left.block += count;
  Replace(left);
}

// `left` is the end of this block.
void KeyHistory::Replace(const Spread& left) {
  Block* const many = block();
  const Change& first = left[0];
  if (left.size == 1 &&
      StoreInline(first, left.first_create,
                  first.tombstone() ? 0 : left.first_forgotten + 1)) {
    ::operator delete(many);
  } else if (left.size <= many->capacity / 4) {
    MoveToBlock(left, std::max(left.size, kFirstCapacity));
  } else {
    many->first_create = left.first_create;
    many->first_forgotten = left.first_forgotten;
    std::copy(left.block, left.block + left.size, many->changes());
    many->size = left.size;
  }
}

// --- telling ---

std::string KeyHistory::ToString() const {
  const Spread now = spread();
  std::string text;
  bool open = false;
  for (size_t i = 0; i < now.size; ++i) {
    const Change& change = now[i];
    if (!open) {
      if (!text.empty()) text += ' ';
      if (!change.tombstone() && now.StateOf(i).version != 1) {
        text += "v" + std::to_string(now.StateOf(i).version);
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
  const Spread now = spread();
  if (in_block()) CHECK_LE(now.size, block()->capacity);
  uint32_t expected = 1;
  for (size_t i = 0; i < now.size; ++i) {
    const Change& change = now[i];
    if (i > 0) CHECK(now[i - 1].id() < change.id());
    CHECK(change.tombstone() || change.ordinal == expected)
        << change.main << " has ordinal " << change.ordinal;
    expected = change.tombstone() ? 1 : expected + 1;
  }
}

}  // namespace strata
