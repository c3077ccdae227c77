#include "server/raft_log.h"

#include <utility>

#include "base/check.h"

namespace strata {

RaftLog::RaftLog(LogIndex before, Term term, std::vector<raft::Entry> entries,
                 uint64_t max_bytes, Newest newest)
    : max_bytes_(max_bytes),
      newest_(std::move(newest)),
      before_(before),
      before_term_(term) {
  Append(std::move(entries));
}

void RaftLog::Append(std::vector<raft::Entry> entries) {
  if (entries.empty()) return;
  CHECK(entries.front().index > before_ &&
        entries.front().index <= LastIndex() + 1)
      << entries.front().index << " after " << LastIndex();
  while (LastIndex() >= entries.front().index) {
    bytes_ -= raft::EntryBytes(entries_.back());
    entries_.pop_back();
  }
  for (raft::Entry& entry : entries) {
    CHECK_EQ(entry.index, LastIndex() + 1);
    bytes_ += raft::EntryBytes(entry);
    entries_.push_back(std::move(entry));
  }
}

void RaftLog::Restart(LogIndex index, Term term) {
  entries_.clear();
  bytes_ = 0;
  before_ = index;
  before_term_ = term;
}

void RaftLog::PopFront() {
  bytes_ -= raft::EntryBytes(entries_.front());
  before_ = entries_.front().index;
  before_term_ = entries_.front().term;
  entries_.pop_front();
}

void RaftLog::ReleaseTo(LogIndex index) {
  while (!entries_.empty() && entries_.front().index <= index) PopFront();
}

void RaftLog::Bound(LogIndex applied) {
  while (bytes_ > max_bytes_ && !entries_.empty() &&
         entries_.front().index <= applied) {
    PopFront();
  }
}

std::optional<Term> RaftLog::TermAt(LogIndex index) const {
  if (index == before_) return before_term_;
  if (index < before_ || index > LastIndex()) return std::nullopt;
  return entries_[index - before_ - 1].term;
}

Status RaftLog::Entries(LogIndex low, LogIndex high, uint64_t max_bytes,
                        std::vector<raft::Entry>* entries) const {
  if (low <= before_) {
    return OutOfRangeError("the log no longer has entry " +
                           std::to_string(low.value()));
  }
  uint64_t bytes = 0;
  for (LogIndex at = low; at < high; ++at) {
    const raft::Entry& entry = entries_[at - before_ - 1];
    bytes += raft::EntryBytes(entry);
    if (bytes > max_bytes && at > low) break;
    entries->push_back(entry);
  }
  return Status::Ok();
}

}  // namespace strata
