#include "server/replaceable_store.h"

#include <optional>

namespace strata {
namespace {

// The content goes after what was read from it.
struct Hold {
  std::shared_ptr<Store> store;
  std::shared_ptr<const void> pin;
};

void KeepStore(const std::shared_ptr<Store>& store,
               std::shared_ptr<const void>* pin) {
  if (*pin == nullptr) return;
  *pin = std::make_shared<const Hold>(Hold{store, std::move(*pin)});
}

void KeepStore(const std::shared_ptr<Store>& store, TxnResult* result) {
  struct Visitor {
    const std::shared_ptr<Store>& store;
    void operator()(RangeResult& range) const { KeepStore(store, &range.pin); }
    void operator()(PutResult& put) const { KeepStore(store, &put.prev.pin); }
    void operator()(DeleteRangeResult& deleted) const {
      KeepStore(store, &deleted.prev.pin);
    }
    void operator()(std::unique_ptr<TxnResult>& txn) const {
      KeepStore(store, txn.get());
    }
  };
  for (OpResult& op : result->responses) std::visit(Visitor{store}, op);
}

}  // namespace

std::shared_ptr<Store> ReplaceableStore::get() const {
  const std::lock_guard lock(mutex_);
  return store_;
}

void ReplaceableStore::Replace(std::unique_ptr<Store> next) {
  const std::lock_guard lock(mutex_);
  next->HoldChanges(held_from_);
  if (!forget_gone_) gone_before_ = next->compact_revision();
  old_ = std::exchange(store_, std::move(next));
}

void ReplaceableStore::DropOld() {
  std::shared_ptr<Store> old;
  const std::lock_guard lock(mutex_);
  old.swap(old_);
}

bool ReplaceableStore::Held(bool held, Revision from) const {
  const std::lock_guard lock(mutex_);
  return held && from >= gone_before_;
}

void ReplaceableStore::HoldChanges(Revision from) {
  const std::lock_guard lock(mutex_);
  held_from_ = from;
  store_->HoldChanges(from);
}

StatusOr<RangeResult> ReplaceableStore::Range(
    const RangeRequest& request) const {
  const auto store = get();
  auto result = store->Range(request);
  if (result.ok()) KeepStore(store, &result->pin);
  return result;
}

StatusOr<HashKvResult> ReplaceableStore::HashKv(Revision revision) const {
  return get()->HashKv(revision);
}

StatusOr<std::optional<std::string>> ReplaceableStore::Get(
    Table table, std::string_view key) const {
  return get()->Get(table, key);
}

StatusOr<ChangeList> ReplaceableStore::ReadChanges(
    const ChangeRequest& request) const {
  const auto store = get();
  ChangeRequest changed = request;
  changed.held = Held(request.held, request.from);
  auto list = store->ReadChanges(changed);
  if (list.ok()) KeepStore(store, &list->pin);
  return list;
}

StatusOr<std::optional<std::string>> ReplaceableStore::ReadBefore(
    std::string_view key, Revision revision, bool held) const {
  return get()->ReadBefore(key, revision, Held(held, revision));
}

StatusOr<std::vector<std::pair<std::string, std::string>>>
ReplaceableStore::List(Table table) const {
  return get()->List(table);
}

StatusOr<PutResult> ReplaceableStore::Put(const PutRequest& request) {
  auto result = store_->Put(request);
  if (result.ok()) KeepStore(store_, &result->prev.pin);
  return result;
}

StatusOr<DeleteRangeResult> ReplaceableStore::DeleteRange(
    const DeleteRangeRequest& request) {
  auto result = store_->DeleteRange(request);
  if (result.ok()) KeepStore(store_, &result->prev.pin);
  return result;
}

StatusOr<TxnResult> ReplaceableStore::Txn(const TxnRequest& request) {
  auto result = store_->Txn(request);
  if (result.ok()) KeepStore(store_, &*result);
  return result;
}

Status ReplaceableStore::Compact(Revision revision,
                                 std::function<void()> done) {
  return store_->Compact(revision, std::move(done));
}

Status ReplaceableStore::GrantLease(const LeaseRecord& lease) {
  return store_->GrantLease(lease);
}

StatusOr<Revision> ReplaceableStore::RevokeLease(LeaseId id) {
  return store_->RevokeLease(id);
}

Status ReplaceableStore::CheckpointLease(LeaseId id,
                                         int64_t remaining_seconds) {
  return store_->CheckpointLease(id, remaining_seconds);
}

void ReplaceableStore::PutRecord(Table table, std::string_view key,
                                 std::string_view value) {
  store_->PutRecord(table, key, value);
}

void ReplaceableStore::EraseRecord(Table table, std::string_view key) {
  store_->EraseRecord(table, key);
}

void ReplaceableStore::EndEntry(LogIndex index, Term term) {
  store_->EndEntry(index, term);
}

void ReplaceableStore::Flush(std::function<void(Status)> done) {
  get()->Flush(std::move(done));
}

Status ReplaceableStore::WriteSnapshot(const Backend::Sink& sink) {
  return get()->WriteSnapshot(sink);
}

// What it points to is in its Hold.
StatusOr<std::shared_ptr<const StoreImage>> ReplaceableStore::Image() const {
  const auto store = get();
  ASSIGN_OR_RETURN(const std::shared_ptr<const StoreImage> image,
                   store->Image());
  auto hold = std::make_shared<const Hold>(Hold{store, image});
  return std::shared_ptr<const StoreImage>(std::move(hold), image.get());
}

void ReplaceableStore::Shrink(ShrinkWatch progress, ShrinkDone done) {
  get()->Shrink(std::move(progress), std::move(done));
}

std::vector<OldReader> ReplaceableStore::OldReaders(Duration age) const {
  return get()->OldReaders(age);
}

}  // namespace strata
