#include "raft/log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata::raft {

const Entry& EntryQueue::at(LogIndex index) const {
  CHECK(index >= first_ && index < end()) << index << " of " << first_;
  return entries_[head_ + (index - first_)];
}

void EntryQueue::PushBack(Entry entry) {
  CHECK_EQ(entry.index, end());
  bytes_ += EntryBytes(entry);
  entries_.push_back(std::move(entry));
}

void EntryQueue::PopFront() {
  CHECK(size() > 0);
  bytes_ -= EntryBytes(entries_[head_]);
  entries_[head_] = Entry();
  ++head_;
  ++first_;
  if (head_ < 64 || 2 * head_ < entries_.size()) return;
  entries_.erase(entries_.begin(),
                 entries_.begin() + static_cast<ptrdiff_t>(head_));
  head_ = 0;
}

void EntryQueue::CutFrom(LogIndex index) {
  CHECK_GE(index, first_);
  while (end() > index) {
    bytes_ -= EntryBytes(entries_.back());
    entries_.pop_back();
  }
}

void EntryQueue::Restart(LogIndex first) {
  entries_.clear();
  head_ = 0;
  bytes_ = 0;
  first_ = first;
}

Log::Log(const LogStorage* storage, LogIndex committed, LogIndex applied,
         uint64_t cache_bytes)
    : storage_(storage),
      cache_bytes_(cache_bytes),
      tail_(storage->LastIndex() + 1),
      stable_(storage->LastIndex()),
      handed_(stable_),
      committed_(std::max(committed, applied)),
      applying_(applied),
      applied_(applied) {
  CHECK_LE(committed_, last_index());
  CHECK_GE(applied_ + 1, storage->FirstIndex());
}

LogIndex Log::FirstIndex() const {
  return restoring() ? restored_.index + 1 : storage_->FirstIndex();
}

std::optional<Term> Log::TermAt(LogIndex index) const {
  if (index >= tail_.first()) {
    if (index >= tail_.end()) return std::nullopt;
    return tail_.at(index).term;
  }
  if (!restoring()) return storage_->TermAt(index);
  if (index == restored_.index) return restored_.term;
  return std::nullopt;
}

Term Log::LastTerm() const {
  const std::optional<Term> term = TermAt(last_index());
  CHECK(term.has_value()) << "the storage lost the end of the log";
  return *term;
}

bool Log::IsUpToDate(LogIndex last, Term last_term) const {
  const Term ours = LastTerm();
  return last_term > ours || (last_term == ours && last >= last_index());
}

LogIndex Log::GreatestAtMost(LogIndex index, Term term) const {
  index = std::min(index, last_index());
  while (index > LogIndex(0)) {
    const std::optional<Term> ours = TermAt(index);
    if (!ours.has_value() || *ours <= term) break;
    --index;
  }
  return index;
}

Status Log::Merge(std::vector<Entry> entries) {
  size_t known = 0;
  while (known < entries.size() &&
         Matches(entries[known].index, entries[known].term)) {
    ++known;
  }
  if (known == entries.size()) return Status::Ok();
  const LogIndex conflict = entries[known].index;
  if (conflict <= committed_) {
    return DataLossError("raft: the leader's entry " +
                         std::to_string(conflict.value()) +
                         " is not the one that was committed here");
  }
  if (conflict <= last_index()) {
    if (keep_conflicts) {
      known = std::min<size_t>(entries.size(),
                               known + (last_index() - conflict) + 1);
    } else {
      CutFrom(conflict);
    }
  }
  for (; known < entries.size(); ++known) Append(std::move(entries[known]));
  return Status::Ok();
}

void Log::CutFrom(LogIndex index) {
  CHECK_GT(index, committed_);
  if (index < tail_.first()) {
    tail_.Restart(index);
  } else {
    tail_.CutFrom(index);
  }
  handed_ = std::min(handed_, index - 1);
  stable_ = std::min(stable_, index - 1);
}

void Log::CommitTo(LogIndex index) {
  CHECK_LE(index, last_index());
  committed_ = std::max(committed_, index);
}

Status Log::Read(LogIndex low, LogIndex high, uint64_t max_bytes,
                 std::vector<Entry>* entries) const {
  if (low >= high) return Status::Ok();
  if (low < FirstIndex()) return OutOfRangeError("raft: the log was compacted");
  if (low < tail_.first()) {
    return storage_->Entries(low, std::min(high, tail_.first()), max_bytes,
                             entries);
  }
  LogIndex end = low;
  for (uint64_t bytes = 0; end < high; ++end) {
    bytes += EntryBytes(tail_.at(end));
    if (bytes > max_bytes && end > low) break;
  }
  entries->reserve(entries->size() + (end - low));
  for (; low < end; ++low) entries->push_back(tail_.at(low));
  return Status::Ok();
}

void Log::Restore(Snapshot snapshot) {
  CHECK_GT(snapshot.metadata.index, committed_);
  restored_ = snapshot.metadata;
  to_install_ = std::move(snapshot);
  tail_.Restart(restored_.index + 1);
  stable_ = handed_ = committed_ = applying_ = restored_.index;
  pages_.push_back({.last = restored_.index, .bytes = 0});
}

std::optional<Snapshot> Log::TakeSnapshot() {
  return std::exchange(to_install_, std::nullopt);
}

void Log::TakeEntries(std::vector<Entry>* entries) {
  entries->reserve(entries->size() + (last_index() - handed_));
  while (handed_ < last_index()) {
    ++handed_;
    entries->push_back(tail_.at(handed_));
  }
}

void Log::Persisted(LogIndex index, Term term) {
  if (index <= stable_) return;
  if (ignore_replaced) {
    stable_ = std::min(index, last_index());
  } else if (Matches(index, term)) {
    stable_ = index;
  }
  Trim();
}

void Log::SnapshotPersisted(LogIndex index) {
  if (index == restored_.index) restored_ = {};
}

// The last entry stays, for its term is asked for often.
void Log::Trim() {
  if (restoring()) return;
  while (tail_.size() > 1 && tail_.first() <= stable_ &&
         tail_.bytes() > cache_bytes_) {
    tail_.PopFront();
  }
}

void Log::TakeCommitted(LogIndex limit, uint64_t max_bytes,
                        std::vector<Entry>* entries) {
  limit = std::min(limit, committed_);
  if (applying_ >= limit || pages_bytes_ >= max_bytes) return;
  const size_t before = entries->size();
  // What cannot be read now is asked for again with the next output.
  if (!Read(applying_ + 1, limit + 1, max_bytes, entries).ok()) return;
  Page page;
  for (size_t i = before; i < entries->size(); ++i) {
    page.last = (*entries)[i].index;
    page.bytes += EntryBytes((*entries)[i]);
  }
  CHECK_GT(page.last, applying_);
  applying_ = page.last;
  pages_bytes_ += page.bytes;
  pages_.push_back(page);
}

void Log::AppliedTo(LogIndex index) {
  CHECK_LE(applied_, index);
  CHECK_LE(index, applying_);
  applied_ = index;
  while (!pages_.empty() && pages_.front().last <= index) {
    pages_bytes_ -= pages_.front().bytes;
    pages_.pop_front();
  }
}

}  // namespace strata::raft
