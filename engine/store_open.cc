#include <algorithm>
#include <array>
#include <future>
#include <utility>

#include "engine/meta.h"
#include "engine/restore_batch.h"
#include "engine/store_impl.h"

// Opening: the key index is made anew from the key table. A stretch of the
// table is read and sorted while the stretch before it goes into the index,
// on two threads if there is a helper.
namespace strata {

namespace {

StatusOr<uint64_t> ReadNumber(const View& view, std::string_view name) {
  ASSIGN_OR_RETURN(auto bytes, view.Get(Table::kMeta, name));
  if (!bytes.has_value()) return uint64_t{0};
  if (bytes->size() != 8) {
    return DataLossError("meta record " + std::string(name) + " has " +
                         std::to_string(bytes->size()) + " bytes, not 8");
  }
  return LoadBig64(bytes->data());
}

// Changes that are sorted, and in memory, at a time: 5 MB, which caches hold.
constexpr size_t kRestoreRows = 64 << 10;

// -1 if there was none.
StatusOr<Revision> ReadCompaction(const View& view, std::string_view name) {
  ASSIGN_OR_RETURN(auto bytes, view.Get(Table::kMeta, name));
  if (!bytes.has_value()) return Revision(-1);
  ChangeId id;
  bool tombstone;
  if (!ParseRevisionKey(*bytes, &id, &tombstone)) {
    return DataLossError("meta record " + std::string(name) +
                         " is no revision: " + Printable(*bytes));
  }
  return id.main;
}

}  // namespace

StatusOr<std::unique_ptr<Store>> Store::Open(std::unique_ptr<Backend> backend,
                                             StoreOptions options,
                                             Logger* logger) {
  auto store = std::make_unique<StoreImpl>(std::move(backend),
                                           std::move(options), logger);
  RETURN_IF_ERROR(store->Restore());
  return store;
}

Status StoreImpl::Restore() {
  ASSIGN_OR_RETURN(std::shared_ptr<const View> view, backend_->NewView());
  ASSIGN_OR_RETURN(const Revision finished,
                   ReadCompaction(*view, meta::kFinishedCompact));
  ASSIGN_OR_RETURN(const Revision scheduled,
                   ReadCompaction(*view, meta::kScheduledCompact));
  ASSIGN_OR_RETURN(const uint64_t index,
                   ReadNumber(*view, meta::kConsistentIndex));
  applied_ = index;
  flushed_ = index;
  RETURN_IF_ERROR(RestoreLeases(*view));
  RETURN_IF_ERROR(RestoreIndex(*view));
  RestoreRevisions(finished, scheduled);
  active_ = std::make_shared<Run>(/*sequence=*/1, revision() + 1);
  run_ = active_.get();
  state_ = std::make_shared<ReadState>(ReadState{active_, {}, view});
  if (scheduled > finished) StartCompaction(scheduled, 0, nullptr);
  StartScrub();
  return Status::Ok();
}

Status StoreImpl::RestoreIndex(const View& view) {
  CHECK(options_.helper == nullptr || !options_.helper->InLoop());
  auto iterator = view.NewIterator(Table::kKey);
  iterator->SeekToFirst();
  // One goes into the index while the other is read.
  std::array<RestoreBatch, 2> batches;
  RETURN_IF_ERROR(batches[0].Read(iterator.get(), kRestoreRows));
  for (size_t turn = 0; !batches[turn].empty(); turn ^= 1) {
    const auto read = std::make_shared<std::promise<Status>>();
    const auto read_next = [read, &iterator, next = &batches[turn ^ 1]] {
      read->set_value(next->Read(iterator.get(), kRestoreRows));
    };
    const bool help = options_.helper != nullptr && iterator->Valid();
    if (help) options_.helper->Post(read_next);
    RestoreRows(batches[turn]);
    if (!help) read_next();
    RETURN_IF_ERROR(read->get_future().get());
  }
  return iterator->status();
}

void StoreImpl::RestoreRows(const RestoreBatch& batch) {
  const bool keep = options_.level.KeepsTombstoneAtCompaction();
  batch.ForEach([&](const RestoreBatch::Row& row) {
    leases_.Attach(row.key, row.lease);  // a tombstone has none
    if (row.tombstone) {
      if (index_.RestoreTombstone(row.key, row.id, keep)) return;
      orphans_.push_back({row.id.main, row.id.sub, true});
    } else {
      // etcdutl's --bump-revision leaves a change without key and version; it
      // is no tombstone, which is what 0 would say.
      index_.Restore(row.key, row.id, Revision(row.create),
                     std::max<int64_t>(row.version, 1));
    }
  });
  revision_.store(batch.newest().value(), std::memory_order_relaxed);
}

// The changes of the newest revisions may all have been compacted away, so the
// watermarks count too.
void StoreImpl::RestoreRevisions(Revision finished, Revision scheduled) {
  compact_revision_ = std::max(finished, scheduled);
  swept_ = std::max(finished, Revision(0));
  const int64_t newest = std::max(revision(), compact_revision_).value();
  revision_.store(std::max(newest, int64_t{1}), std::memory_order_release);
}

}  // namespace strata
