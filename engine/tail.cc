#include "engine/tail.h"

#include "engine/meta.h"

namespace strata {

Run::~Run() = default;

char* Run::Append(ChangeId id, size_t value_bytes, bool tombstone) {
  const Revision next = first_ + static_cast<int64_t>(starts_.size());
  if (id.main == next) {
    CHECK_EQ(id.sub, 0u);
    starts_.Append(values_.size());
  } else {
    CHECK_EQ(id.main, next - 1);
    CHECK_EQ(starts_[starts_.size() - 1] + id.sub, values_.size());
  }
  char* data = arena_.Allocate(value_bytes);
  values_.Append({data, static_cast<uint32_t>(value_bytes), tombstone});
  CountChange(value_bytes);
  return data;
}

// One thread adds, so a load and a store do.
void Run::CountChange(size_t bytes) {
  dirty_.store(true, std::memory_order_relaxed);
  changes_.store(changes() + 1, std::memory_order_relaxed);
  bytes_.store(this->bytes() + bytes + kChangeOverhead,
               std::memory_order_relaxed);
}

std::optional<std::string_view> Run::Find(ChangeId id) const {
  const auto revision = static_cast<size_t>(id.main - first_);
  if (!Covers(id.main) || revision >= starts_.size()) return std::nullopt;
  const size_t at = starts_[revision] + id.sub;
  if (at >= values_.size()) return std::nullopt;
  const Value& value = values_[at];
  return std::string_view(value.data, value.size);
}

void Run::PutRecord(Table table, std::string_view key, std::string_view value) {
  CountChange(key.size() + value.size());
  std::lock_guard<std::mutex> lock(records_mutex_);
  records_[RecordKey(table, key)] = std::string(value);
}

void Run::EraseRecord(Table table, std::string_view key) {
  CountChange(key.size());
  std::lock_guard<std::mutex> lock(records_mutex_);
  records_[RecordKey(table, key)] = std::nullopt;
}

std::optional<std::optional<std::string>> Run::FindRecord(
    Table table, std::string_view key) const {
  std::lock_guard<std::mutex> lock(records_mutex_);
  auto found = records_.find(RecordKey(table, key));
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

void Run::OverlayRecords(Table table,
                         std::map<std::string, std::string>* records) const {
  std::lock_guard<std::mutex> lock(records_mutex_);
  for (auto at = records_.lower_bound(RecordKey(table, ""));
       at != records_.end() && at->first.first == table; ++at) {
    if (at->second.has_value()) {
      (*records)[at->first.second] = *at->second;
    } else {
      records->erase(at->first.second);
    }
  }
}

void Run::EndEntry(LogIndex index, Term term) {
  index_ = index;
  term_ = term;
  dirty_.store(true, std::memory_order_relaxed);
}

Batch Run::ToBatch(Level level) const {
  Batch batch;
  ForEach(Revision(INT64_MAX), [&batch](const Entry& entry) {
    batch.PutBorrowed(Table::kKey,
                      RevisionKey(entry.id, entry.tombstone).view(),
                      entry.value);
  });
  {
    std::lock_guard<std::mutex> lock(records_mutex_);
    for (const auto& [key, value] : records_) {
      if (value.has_value()) {
        batch.Put(key.first, key.second, *value);
      } else {
        batch.Erase(key.first, key.second);
      }
    }
  }
  // etcd never stores 0: it would read as "not known".
  if (index_ > LogIndex(0)) {
    batch.Put(Table::kMeta, meta::kConsistentIndex,
              meta::EncodeNumber(index_.value()));
    if (level.StoresTerm() && term_ > Term(0)) {
      batch.Put(Table::kMeta, meta::kTerm, meta::EncodeNumber(term_.value()));
    }
  }
  return batch;
}

const Run* ReadState::RunOf(Revision main) const {
  if (active->Covers(main)) return active.get();
  for (size_t i = frozen.size(); i-- > 0;) {
    if (frozen[i]->Covers(main)) return frozen[i].get();
  }
  return nullptr;
}

uint64_t ReadState::tail_bytes() const {
  uint64_t bytes = active->bytes();
  for (const auto& run : frozen) bytes += run->bytes();
  return bytes;
}

StatusOr<std::string_view> ReadState::Value(ChangeId id) const {
  const Run* run = RunOf(id.main);
  std::optional<std::string_view> value;
  if (run != nullptr) {
    value = run->Find(id);
  } else {
    const RevisionKey key(id, /*tombstone=*/false);
    ASSIGN_OR_RETURN(value, view->Get(Table::kKey, key.view()));
  }
  if (value.has_value()) return *value;
  return DataLossError("the key table lacks revision " +
                       std::to_string(id.main.value()) + "." +
                       std::to_string(id.sub));
}

StatusOr<std::optional<std::string>> ReadState::Record(
    Table table, std::string_view key) const {
  if (auto found = active->FindRecord(table, key)) return *found;
  for (size_t i = frozen.size(); i-- > 0;) {
    if (auto found = frozen[i]->FindRecord(table, key)) return *found;
  }
  const std::shared_ptr<const View> fork = view->Fork();
  ASSIGN_OR_RETURN(auto stored,
                   (fork == nullptr ? view : fork)->Get(table, key));
  if (!stored.has_value()) return std::optional<std::string>();
  return std::optional<std::string>(*stored);
}

StatusOr<std::vector<std::pair<std::string, std::string>>> ReadState::Records(
    Table table) const {
  std::map<std::string, std::string> records;
  auto iterator = view->NewIterator(table);
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    records.emplace(iterator->key(), iterator->value());
  }
  RETURN_IF_ERROR(iterator->status());
  for (const auto& run : frozen) run->OverlayRecords(table, &records);
  active->OverlayRecords(table, &records);
  return std::vector<std::pair<std::string, std::string>>(records.begin(),
                                                          records.end());
}

}  // namespace strata
