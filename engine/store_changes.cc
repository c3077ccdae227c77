#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "engine/changes.h"
#include "engine/errors.h"
#include "engine/store_impl.h"

// Reading the store by revision, for watchers. What is not in the backend yet
// is in the runs of the tail, which are in that order anyway.
namespace strata {

StatusOr<ChangeList> StoreImpl::ReadChanges(
    const ChangeRequest& request) const {
  std::shared_ptr<const ReadState> state;
  Revision end;
  {
    std::shared_lock<RwLock> lock(mutex_);
    if (!request.held && request.from < compact_revision_) {
      return errors::Compacted();
    }
    state = state_;
    end = std::min(request.end, revision() + 1);
  }
  ChangeList list;
  ChangeSize size;
  list.next = request.from;
  const Revision tail = state->first_in_tail();
  if (list.next < tail) {
    RETURN_IF_ERROR(
        ReadStored(request, *state->view, std::min(end, tail), &size, &list));
  }
  while (list.next >= tail && list.next < end && !size.Reaches(request)) {
    state->RunOf(list.next)->ForEachAt(list.next, [&](const Run::Entry& entry) {
      list.changes.push_back({entry.id, entry.tombstone, entry.value});
      size.Add(entry.value);
    });
    ++list.next;
  }
  list.pin = std::move(state);
  return list;
}

// Those before `end`; of the revisions between, most may have been compacted.
Status StoreImpl::ReadStored(const ChangeRequest& request, const View& view,
                             Revision end, ChangeSize* size,
                             ChangeList* list) const {
  auto iterator = view.NewIterator(Table::kKey);
  const Revision from = std::max(request.from, Revision(0));
  Revision last;
  for (iterator->Seek(RevisionKey({from, 0}, /*tombstone=*/false).view());
       iterator->Valid(); iterator->Next()) {
    Change change;
    if (!ParseRevisionKey(iterator->key(), &change.id, &change.tombstone)) {
      return DataLossError("the key table has a key that is no revision: " +
                           Printable(iterator->key()));
    }
    const Revision main = change.id.main;
    if (main >= end) break;
    if (main != last && size->Reaches(request)) {
      list->next = main;
      return Status::Ok();
    }
    last = main;
    change.kv = iterator->value();
    RETURN_IF_ERROR(DecodeKeyValue(change.kv).status());
    size->Add(change.kv);
    list->changes.push_back(change);
  }
  list->next = std::max(end, request.from);
  return iterator->status();
}

StatusOr<std::optional<std::string>> StoreImpl::ReadBefore(std::string_view key,
                                                           Revision revision,
                                                           bool held) const {
  std::shared_ptr<const ReadState> state;
  std::optional<KeyState> found;
  {
    std::shared_lock<RwLock> lock(mutex_);
    if (!held && revision - 1 < compact_revision_) return errors::Compacted();
    found = index_.Get(key, revision - 1);
    if (!found.has_value()) return std::optional<std::string>();
    state = state_;
  }
  ASSIGN_OR_RETURN(const std::string_view value, state->Value(found->id));
  return std::optional<std::string>(value);
}

// Whether whoever reads changes as they come has still to see what the
// compaction would remove.
bool StoreImpl::Held(const Compaction& job) const {
  const int64_t from = held_from_.load(std::memory_order_acquire);
  return from > 0 && from <= job.at.value();
}

}  // namespace strata
