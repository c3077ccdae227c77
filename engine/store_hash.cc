#include <algorithm>
#include <array>
#include <mutex>
#include <shared_mutex>

#include "base/crc32c.h"
#include "engine/errors.h"
#include "engine/meta.h"
#include "engine/store_impl.h"

namespace strata {

// etcd's sum over the key table, byte for byte: the table's name, then key and
// value of each change up to the revision. Of those at or before the last
// compaction only the ones that a compaction at the revision would leave count,
// so that members agree whatever their compactions have already erased (unless
// nothing at all would be left: then all that is there counts, as in etcd).
namespace {

// Of the auth table: how often users and roles have changed.
constexpr std::string_view kAuthRevision = "authRevision";

class Hasher {
 public:
  // `old`: which changes up to `compacted` count; null: all.
  Hasher(Revision at, Revision compacted, const std::vector<ChangeId>* old)
      : at_(at),
        compacted_(compacted),
        old_(old),
        hash_(crc32c::Value(TableName(Table::kKey))) {}

  bool Counts(ChangeId id) const {
    if (id.main > at_) return false;
    if (id.main > compacted_ || old_ == nullptr) return true;
    return std::binary_search(old_->begin(), old_->end(), id);
  }

  void Add(ChangeId id, bool tombstone, std::string_view value) {
    if (!Counts(id)) return;
    hash_ = crc32c::Extend(hash_, RevisionKey(id, tombstone).view());
    hash_ = crc32c::Extend(hash_, value);
  }

  uint32_t hash() const { return hash_; }

 private:
  const Revision at_;
  const Revision compacted_;
  const std::vector<ChangeId>* const old_;
  uint32_t hash_;
};

Status AddView(const View& view, Revision at, Hasher* hasher) {
  auto iterator = view.NewIterator(Table::kKey);
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    ChangeId id;
    bool tombstone;
    if (!ParseRevisionKey(iterator->key(), &id, &tombstone)) {
      return DataLossError("the key table has a key that is no revision: " +
                           Printable(iterator->key()));
    }
    if (id.main > at) return Status::Ok();
    hasher->Add(id, tombstone, iterator->value());
  }
  return iterator->status();
}

void AddRun(const Run& run, Revision at, Hasher* hasher) {
  run.ForEach(at + 1, [hasher](const Run::Entry& entry) {
    hasher->Add(entry.id, entry.tombstone, entry.value);
  });
}

}  // namespace

StatusOr<HashKvResult> StoreImpl::HashKv(Revision revision) const {
  const Time began = options_.flusher->Now();
  StatusOr<HashKvResult> result = HashUpTo(revision);
  counters_.hash_revision.AddSeconds(options_.flusher->Now() - began);
  return result;
}

// etcd's sum over all tables in the order of their names, as bbolt has them.
StatusOr<HashResult> StoreImpl::Hash() {
  const Time began = options_.flusher->Now();
  ASSIGN_OR_RETURN(const std::shared_ptr<const View> view, FlushedView());
  std::array<Table, kTableCount> tables;
  for (int i = 0; i < kTableCount; ++i) tables[i] = static_cast<Table>(i);
  std::ranges::sort(tables, {}, TableName);
  uint32_t hash = crc32c::Value("");
  for (const Table table : tables) {
    hash = crc32c::Extend(hash, TableName(table));
    if (table == Table::kAuth) {
      // etcd writes it when it starts; without users it stays so.
      ASSIGN_OR_RETURN(const auto written, view->Get(table, kAuthRevision));
      if (!written.has_value()) {
        hash = crc32c::Extend(hash, kAuthRevision);
        hash = crc32c::Extend(hash, meta::EncodeNumber(1));
      }
    }
    auto iterator = view->NewIterator(table);
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      if (table == Table::kMeta && (iterator->key() == meta::kConsistentIndex ||
                                    iterator->key() == meta::kTerm)) {
        continue;
      }
      hash = crc32c::Extend(hash, iterator->key());
      hash = crc32c::Extend(hash, iterator->value());
    }
    RETURN_IF_ERROR(iterator->status());
  }
  counters_.hash.AddSeconds(options_.flusher->Now() - began);
  return HashResult{hash, revision().value()};
}

StatusOr<HashKvResult> StoreImpl::HashUpTo(Revision revision) const {
  HashKvResult result;
  std::shared_ptr<const ReadState> state;
  {
    std::shared_lock<RwLock> lock(mutex_);
    result.current = this->revision();
    result.compact_revision = compact_revision_;
    state = state_;
  }
  if (revision > Revision(0)) {
    const bool compacted = options_.level.HashesCompactRevision()
                               ? revision < result.compact_revision
                               : revision <= result.compact_revision;
    if (compacted) return errors::Compacted();
    if (revision > result.current) return errors::FutureRevision();
  }
  const Revision at = revision == Revision(0) ? result.current : revision;
  result.hash_revision = at;
  ASSIGN_OR_RETURN(const Kept kept, KeptAt(at, result.compact_revision));
  Hasher hasher(at, result.compact_revision, kept.any ? &kept.old : nullptr);
  RETURN_IF_ERROR(AddView(*state->view, at, &hasher));
  for (const auto& run : state->frozen) AddRun(*run, at, &hasher);
  AddRun(*state->active, at, &hasher);
  result.hash = hasher.hash();
  return result;
}

StatusOr<StoreImpl::Kept> StoreImpl::KeptAt(Revision at,
                                            Revision compacted) const {
  Kept kept;
  std::string resume;
  for (bool more = true; more;) {
    std::shared_lock<RwLock> lock(mutex_);
    if (compact_revision_ > at && at > Revision(0)) return errors::Compacted();
    KeyIndex::Cursor cursor = index_.LowerBound(resume);
    for (size_t n = 0; cursor.Valid() && n < limits::kRangeChunkKeys; ++n) {
      if (const auto found = cursor->history.Get(at)) {
        kept.any = true;
        if (found->id.main <= compacted) kept.old.push_back(found->id);
      }
      cursor.Next();
    }
    more = cursor.Valid();
    if (more) resume = cursor->key();
  }
  std::sort(kept.old.begin(), kept.old.end());
  return kept;
}

}  // namespace strata
