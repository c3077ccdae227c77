#include <deque>
#include <mutex>
#include <shared_mutex>

#include "engine/errors.h"
#include "engine/sorted_keys.h"
#include "engine/store_impl.h"

namespace strata {

// What a range reads, and what it has found so far.
struct StoreImpl::Selection {
  // Pinned when the range begins.
  std::shared_ptr<const ReadState> state;
  Revision current;
  Revision at;
  // Whether `count` is known without looking at every key.
  bool counted = false;
  uint64_t count = 0;

  // Keys wanted; with this many found the rest matters only for the count.
  size_t take = SIZE_MAX;
  bool reverse = false;
  std::vector<KeyState> found;
  // If they are wanted in another order than that of the walk, found has those
  // of one chunk, before they go in here; the chunks before had `taken`.
  std::optional<SortedKeys> sorted;
  size_t taken = 0;

  bool started = false;
  std::string resume;  // the last key looked at

  bool full() const { return taken + found.size() >= take; }
};

namespace {

// Between a change of the index and the moment it is shown to readers lies less
// than a microsecond, unless it is a long transaction's. A range waits so many
// turns for it rather than count its keys one by one.
constexpr int kPinAttempts = 100;

bool HasFilters(const RangeRequest& request) {
  return request.min_mod_revision != Revision(0) ||
         request.max_mod_revision != Revision(0) ||
         request.min_create_revision != Revision(0) ||
         request.max_create_revision != Revision(0);
}

bool Within(Revision revision, Revision min, Revision max) {
  return (min == Revision(0) || revision >= min) &&
         (max == Revision(0) || revision <= max);
}

bool Passes(const RangeRequest& request, const KeyState& state) {
  return Within(state.id.main, request.min_mod_revision,
                request.max_mod_revision) &&
         Within(state.create_revision, request.min_create_revision,
                request.max_create_revision);
}

// Whether the first keys in the order of the walk are the answer, so that the
// walk may end early. With no order and another target than the key, etcd takes
// the first keys (unless it filters) and sorts only those.
bool WalkOrderDecides(const RangeRequest& request) {
  if (request.sort_target == SortTarget::kKey) return true;
  return request.sort_order == SortOrder::kNone && !HasFilters(request);
}

// One more than the limit, to know whether there is more.
size_t Wanted(const RangeRequest& request) {
  if (request.limit <= 0 || !WalkOrderDecides(request)) return SIZE_MAX;
  return static_cast<size_t>(request.limit) + 1;
}

bool Descends(const RangeRequest& request) {
  return request.sort_order == SortOrder::kDescend;
}

// Gathers the encoded KeyValues of a result. Values are dropped without a copy
// where nothing follows them.
class Gatherer {
 public:
  Gatherer(const RangeRequest& request, std::shared_ptr<const ReadState> state)
      : keys_only_(request.keys_only), state_(std::move(state)) {}

  Status Add(ChangeId id, RangeResult* result) {
    ASSIGN_OR_RETURN(std::string_view bytes, state_->Value(id));
    if (keys_only_) RETURN_IF_ERROR(DropValue(&bytes));
    result->kvs.push_back(bytes);
    return Status::Ok();
  }

  void Finish(RangeResult* result) {
    if (copies_ == nullptr) {
      result->pin = std::move(state_);
    } else {
      result->pin = std::make_shared<Kept>(std::move(state_), copies_);
    }
  }

 private:
  using Copies = std::deque<std::string>;
  using Kept =
      std::pair<std::shared_ptr<const ReadState>, std::shared_ptr<Copies>>;

  Status DropValue(std::string_view* bytes) {
    std::string_view before, after;
    if (!SplitAtValue(*bytes, &before, &after)) {
      return DataLossError("a stored value is no KeyValue: " +
                           Printable(*bytes));
    }
    *bytes = before;
    if (after.empty()) return Status::Ok();
    if (copies_ == nullptr) copies_ = std::make_shared<Copies>();
    copies_->push_back(std::string(before).append(after));
    *bytes = copies_->back();
    return Status::Ok();
  }

  const bool keys_only_;
  std::shared_ptr<const ReadState> state_;
  std::shared_ptr<Copies> copies_;  // shared with the result
};

// The same state with a view of its own, where values have to be copied: so
// they go when the result does.
std::shared_ptr<const ReadState> ForOneRange(
    std::shared_ptr<const ReadState> state) {
  std::shared_ptr<const View> fork = state->view->Fork();
  if (fork == nullptr) return state;
  auto own = std::make_shared<ReadState>(*state);
  own->view = std::move(fork);
  return own;
}

Status CheckRevision(Revision at, Revision current, Revision compacted) {
  if (at > current) return errors::FutureRevision();
  if (at < compacted) return errors::Compacted();
  return Status::Ok();
}

}  // namespace

StatusOr<RangeResult> StoreImpl::Range(const RangeRequest& request) const {
  counters_.ranges.fetch_add(1, std::memory_order_relaxed);
  return RangeAsOf(request, std::nullopt);
}

// `current` is given by the apply thread, whose own changes are not yet
// revision_'s.
StatusOr<RangeResult> StoreImpl::RangeAsOf(
    const RangeRequest& request, std::optional<Revision> current) const {
  return request.range.single() ? RangeOne(request, current)
                                : RangeMany(request, current);
}

StatusOr<RangeResult> StoreImpl::RangeOne(
    const RangeRequest& request, std::optional<Revision> current) const {
  RangeResult result;
  std::optional<KeyState> found;
  std::shared_ptr<const ReadState> state;
  {
    std::shared_lock<RwLock> lock(mutex_);
    result.revision = current.value_or(revision());
    const Revision at =
        request.revision > Revision(0) ? request.revision : result.revision;
    RETURN_IF_ERROR(CheckRevision(at, result.revision, compact_revision_));
    found = index_.Get(request.range.key, at);
    if (found.has_value()) state = state_;
  }
  if (!found.has_value()) return result;
  result.count = 1;
  if (request.count_only || !Passes(request, *found)) return result;
  Gatherer gatherer(request, ForOneRange(std::move(state)));
  RETURN_IF_ERROR(gatherer.Add(found->id, &result));
  gatherer.Finish(&result);
  return result;
}

StatusOr<RangeResult> StoreImpl::RangeMany(
    const RangeRequest& request, std::optional<Revision> current) const {
  Selection selection;
  RETURN_IF_ERROR(Select(request, current, &selection));
  std::vector<KeyState>& found = selection.found;
  uint64_t matches = found.size();
  if (selection.sorted.has_value()) {
    matches = selection.sorted->added();
    found = selection.sorted->Take();
  }
  RangeResult result;
  result.revision = selection.current;
  result.count = static_cast<int64_t>(selection.count);
  if (found.empty()) return result;
  if (request.limit > 0 && matches > static_cast<uint64_t>(request.limit)) {
    found.resize(static_cast<size_t>(request.limit));
    result.more = true;
  }
  result.kvs.reserve(found.size());
  Gatherer gatherer(request, std::move(selection.state));
  uint64_t bytes = 0;
  for (const KeyState& key : found) {
    RETURN_IF_ERROR(gatherer.Add(key.id, &result));
    bytes += result.kvs.back().size();
    const bool too_much = request.max_bytes > 0 && bytes > request.max_bytes;
    if (!too_much || result.kvs.size() == 1) continue;
    result.kvs.pop_back();
    result.more = true;
    break;
  }
  gatherer.Finish(&result);
  return result;
}

// Finds the keys, a bounded number for each time the lock is held. All that
// exists at the pinned revision stays in the pinned state; only the index may
// lose it, to a compaction that passes the revision, and then so does the
// range.
Status StoreImpl::Select(const RangeRequest& request,
                         std::optional<Revision> current,
                         Selection* selection) const {
  selection->reverse =
      Descends(request) && request.sort_target == SortTarget::kKey;
  selection->take = request.count_only ? 0 : Wanted(request);
  int pins = 0;
  for (bool more = true; more;) {
    {
      std::shared_lock<RwLock> lock(mutex_);
      if (!selection->started) {
        RETURN_IF_ERROR(Pin(request, current, selection));
        const bool between = selection->at == selection->current;
        if (!selection->counted && between && ++pins < kPinAttempts) continue;
      } else if (compact_revision_ > selection->at) {
        return errors::Compacted();
      }
      more = SelectChunk(request, selection);
    }
    RETURN_IF_ERROR(SortChunk(request, selection));
  }
  return Status::Ok();
}

// Puts what a chunk has found in its order. It may look at values, so without
// the lock.
Status StoreImpl::SortChunk(const RangeRequest& request,
                            Selection* selection) const {
  if (request.sort_target == SortTarget::kKey || request.count_only) {
    return Status::Ok();
  }
  if (!selection->sorted.has_value()) {
    selection->sorted.emplace(request.sort_target, request.sort_order,
                              request.limit, selection->state.get());
  }
  for (const KeyState& key : selection->found) {
    RETURN_IF_ERROR(selection->sorted->Add(key));
  }
  selection->taken += selection->found.size();
  selection->found.clear();
  return Status::Ok();
}

// REQUIRES: mutex_
Status StoreImpl::Pin(const RangeRequest& request,
                      std::optional<Revision> current,
                      Selection* selection) const {
  selection->current = current.value_or(revision());
  selection->at =
      request.revision > Revision(0) ? request.revision : selection->current;
  RETURN_IF_ERROR(
      CheckRevision(selection->at, selection->current, compact_revision_));
  selection->state = ForOneRange(state_);
  // The counts of the index are those after its last change.
  if (request.uncounted) {
    selection->counted = true;
  } else if (selection->at >= index_.newest()) {
    selection->counted = true;
    selection->count = index_.CountLive(request.range);
  }
  return Status::Ok();
}

// REQUIRES: mutex_. False when nothing is left to look at.
bool StoreImpl::SelectChunk(const RangeRequest& request,
                            Selection* selection) const {
  Selection& s = *selection;
  const KeyRange& range = request.range;
  KeyIndex::Cursor at;
  if (s.reverse) {
    if (s.started) {
      at = index_.Before(s.resume);
    } else {
      at = range.open_ended() ? index_.Last() : index_.Before(range.end);
    }
  } else {
    at = index_.LowerBound(s.started ? s.resume : range.key);
    if (s.started && at.Valid() && at->key() == s.resume) at.Next();
  }
  s.started = true;
  for (size_t looked_at = 0; looked_at < limits::kRangeChunkKeys; ++looked_at) {
    if (s.counted && s.full()) return false;
    if (!at.Valid() || !range.Contains(at->key())) return false;
    if (looked_at + 1 == limits::kRangeChunkKeys) s.resume = at->key();
    const std::optional<KeyState> state = at->history.Get(s.at);
    if (state.has_value()) {
      if (!s.counted) ++s.count;
      if (!s.full() && Passes(request, *state)) s.found.push_back(*state);
    }
    s.reverse ? at.Prev() : at.Next();
  }
  return true;
}

}  // namespace strata
