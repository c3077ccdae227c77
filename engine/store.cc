#include "engine/store.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>

#include "engine/errors.h"
#include "engine/store_impl.h"

namespace strata {

StoreImpl::StoreImpl(std::unique_ptr<Backend> backend, StoreOptions options,
                     Logger* logger)
    : backend_(std::move(backend)),
      options_(std::move(options)),
      logger_(logger),
      anchor_(std::make_shared<Anchor>()) {
  CHECK(options_.flusher != nullptr);
  anchor_->store = this;
}

StoreImpl::~StoreImpl() {
  std::lock_guard<std::mutex> lock(anchor_->mutex);
  anchor_->store = nullptr;
}

// --- what reads see ---

std::shared_ptr<const ReadState> StoreImpl::state() const {
  std::shared_lock<RwLock> lock(mutex_);
  return state_;
}

Revision StoreImpl::compact_revision() const {
  std::shared_lock<RwLock> lock(mutex_);
  return compact_revision_;
}

uint64_t StoreImpl::tail_bytes() const { return state()->tail_bytes(); }

StatusOr<std::optional<std::string>> StoreImpl::Get(
    Table table, std::string_view key) const {
  CHECK(table != Table::kKey);
  return state()->Record(table, key);
}

StatusOr<std::vector<std::pair<std::string, std::string>>> StoreImpl::List(
    Table table) const {
  CHECK(table != Table::kKey);
  return state()->Records(table);
}

// --- changes ---

void StoreImpl::OpenEntry() {
  if (in_entry_) return;
  in_entry_ = true;
  std::lock_guard<std::mutex> lock(tail_mutex_);
  CHECK(!closed_) << "a change after Close";
  entry_open_ = true;
}

void StoreImpl::EndEntry(LogIndex index, Term term) {
  CHECK_EQ(changes_, 0u);
  in_entry_ = false;
  std::lock_guard<std::mutex> lock(tail_mutex_);
  CHECK(!closed_) << "a change after Close";
  active_->EndEntry(index, term);
  applied_.store(index.value(), std::memory_order_release);
  entry_open_ = false;
  entry_ended_.notify_all();
  MaybeFreeze();
}

Revision StoreImpl::ReadRevision() const {
  return changes_ > 0 ? revision() + 1 : revision();
}

ChangeId StoreImpl::NextChange() {
  CHECK_LT(changes_, UINT32_MAX);
  return {revision() + 1, changes_++};
}

// Shows the changes to readers. Returns the revision after them.
Revision StoreImpl::EndChanges() {
  const Revision now = ReadRevision();
  changes_ = 0;
  revision_.store(now.value(), std::memory_order_release);
  return now;
}

StatusOr<PutResult> StoreImpl::Put(const PutRequest& request) {
  RETURN_IF_ERROR(CheckLease(request.lease));
  OpenEntry();
  auto result = DoPut(request);
  EndChanges();
  return result;
}

StatusOr<PutResult> StoreImpl::DoPut(const PutRequest& request) {
  PutResult result;
  std::string_view value = request.value;
  LeaseId lease = request.lease;
  RangeResult prev;
  if (request.prev_kv || request.ignore_value || request.ignore_lease) {
    ASSIGN_OR_RETURN(prev,
                     RangeAsOf({.range = {request.key, {}}}, ReadRevision()));
  }
  if (request.ignore_value || request.ignore_lease) {
    if (prev.kvs.empty()) return errors::KeyNotFound();
    ASSIGN_OR_RETURN(const KeyValue kv, DecodeKeyValue(prev.kvs[0]));
    if (request.ignore_value) value = kv.value;
    if (request.ignore_lease) lease = kv.lease;
  }
  AddPut(request.key, value, lease);
  Bump(&counters_.puts);
  Bump(&counters_.put_bytes, request.key.size() + value.size());
  result.revision = ReadRevision();
  if (request.prev_kv) result.prev = std::move(prev);
  return result;
}

void StoreImpl::AddPut(std::string_view key, std::string_view value,
                       LeaseId lease) {
  const ChangeId id = NextChange();
  leases_.Attach(key, lease);
  KeyState state;
  {
    std::lock_guard<RwLock> lock(mutex_);
    state = index_.Put(key, id);
  }
  const KeyValue kv{.key = key,
                    .create_revision = state.create_revision,
                    .mod_revision = id.main,
                    .version = state.version,
                    .value = value,
                    .lease = lease};
  const size_t size = KeyValueSize(kv);
  EncodeKeyValue(kv, run_->Append(id, size, /*tombstone=*/false));
}

StatusOr<DeleteRangeResult> StoreImpl::DeleteRange(
    const DeleteRangeRequest& request) {
  OpenEntry();
  auto result = DoDeleteRange(request);
  EndChanges();
  return result;
}

StatusOr<DeleteRangeResult> StoreImpl::DoDeleteRange(
    const DeleteRangeRequest& request) {
  DeleteRangeResult result;
  Bump(&counters_.deletes);
  if (request.prev_kv) {
    ASSIGN_OR_RETURN(result.prev,
                     RangeAsOf({.range = request.range}, ReadRevision()));
  }
  for (const std::string_view key : LiveKeys(request.range)) {
    AddTombstone(key);
    ++result.deleted;
  }
  result.revision = ReadRevision();
  return result;
}

void StoreImpl::AddTombstone(std::string_view key) {
  const ChangeId id = NextChange();
  leases_.Attach(key, LeaseId(0));
  {
    std::lock_guard<RwLock> lock(mutex_);
    index_.Delete(key, id);
  }
  const KeyValue kv{.key = key};
  const size_t size = KeyValueSize(kv);
  EncodeKeyValue(kv, run_->Append(id, size, /*tombstone=*/true));
}

// The keys of the range that exist, the open transaction's changes included.
// The views stay valid until the transaction ends: no compaction removes a key
// that exists at a revision after it, or whose tombstone is.
std::vector<std::string_view> StoreImpl::LiveKeys(const KeyRange& range) const {
  std::vector<std::string_view> keys;
  std::string resume(range.key);
  for (bool end = false; !end;) {
    std::shared_lock<RwLock> lock(mutex_);
    KeyIndex::Cursor at = index_.LowerBound(resume);
    for (size_t looked_at = 0;; at.Next(), ++looked_at) {
      end = !at.Valid() || !range.Contains(at->key());
      if (end) break;
      if (looked_at == limits::kRangeChunkKeys) {
        resume = at->key();
        break;
      }
      if (at->history.live()) keys.push_back(at->key());
    }
  }
  return keys;
}

void StoreImpl::Check() const {
  std::shared_lock<RwLock> lock(mutex_);
  index_.Check();
  CHECK_LE(compact_revision_, revision());
  CHECK_LE(index_.newest(), revision());
}

// --- small tables ---

void StoreImpl::PutRecord(Table table, std::string_view key,
                          std::string_view value) {
  CHECK(table != Table::kKey);
  OpenEntry();
  run_->PutRecord(table, key, value);
}

void StoreImpl::EraseRecord(Table table, std::string_view key) {
  CHECK(table != Table::kKey);
  OpenEntry();
  run_->EraseRecord(table, key);
}

}  // namespace strata
