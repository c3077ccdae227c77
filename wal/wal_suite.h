#ifndef STRATA_WAL_WAL_SUITE_H_
#define STRATA_WAL_WAL_SUITE_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/env.h"
#include "raft/types.h"
#include "wal/wal.h"

// For the tests of the log: what a log should hold, kept beside it.
namespace strata::wal {

inline constexpr MemberId kVoter{0xc137cfae40bcdb4c};

inline raft::Entry MakeEntry(uint64_t index, std::string data,
                             uint64_t term = 1) {
  return raft::Entry{.term = Term(term),
                     .index = LogIndex(index),
                     .type = raft::EntryType::kNormal,
                     .data = std::move(data)};
}

inline raft::HardState MakeState(uint64_t term, uint64_t commit) {
  return raft::HardState{
      .term = Term(term), .vote = kVoter, .commit = LogIndex(commit)};
}

using LogOperation = std::variant<raft::Entry, raft::HardState, WalSnapshot>;

// A log as it should be after some operations.
struct LogModel {
  std::vector<raft::Entry> entries = {};  // from index 1
  raft::HardState hard_state = {};
  std::vector<WalSnapshot> snapshots = {WalSnapshot{}};

  void Apply(const LogOperation& operation) {
    if (const auto* entry = std::get_if<raft::Entry>(&operation)) {
      entries.resize(entry->index.value() - 1);
      entries.push_back(*entry);
    } else if (const auto* state = std::get_if<raft::HardState>(&operation)) {
      hard_state = *state;
    } else {
      snapshots.push_back(std::get<WalSnapshot>(operation));
    }
  }
  LogIndex last_index() const { return LogIndex(entries.size()); }

  // Whether an open from `start` that found `content` found this log.
  bool Matches(const WalSnapshot& start, const WalContent& content) const {
    if (entries.size() < start.index.value()) return false;
    const auto first =
        entries.begin() + static_cast<ptrdiff_t>(start.index.value());
    return std::equal(first, entries.end(), content.entries.begin(),
                      content.entries.end()) &&
           content.hard_state == hard_state &&
           SnapshotsMatch(start, content.snapshots);
  }

  // Those before the start may have been released with their segments.
  bool SnapshotsMatch(const WalSnapshot& start,
                      const std::vector<WalSnapshot>& found) const {
    if (found.size() > snapshots.size()) return false;
    if (!std::equal(found.rbegin(), found.rend(), snapshots.rbegin())) {
      return false;
    }
    const auto from = std::find(snapshots.begin(), snapshots.end(), start);
    return from != snapshots.end() &&
           found.size() >= static_cast<size_t>(snapshots.end() - from);
  }
};

// A log and what it should hold: what was acknowledged, and what was given to
// it since, of which any part from the front may be there after a crash.
struct Ledger {
  bool created = false;
  LogModel synced;
  std::vector<LogOperation> pending;
  WalSnapshot start;                      // where an open may start
  std::function<void()> after_sync = {};  // lets others run

  void Append(Wal* wal, const LogOperation& operation) {
    pending.push_back(operation);
    if (const auto* entry = std::get_if<raft::Entry>(&operation)) {
      wal->AppendEncoded(entry->index, entry->term, raft::EncodeEntry(*entry));
    } else if (const auto* state = std::get_if<raft::HardState>(&operation)) {
      wal->AppendHardState(*state);
    } else {
      wal->AppendSnapshot(std::get<WalSnapshot>(operation));
    }
  }
  Status Sync(Wal* wal) {
    RETURN_IF_ERROR(wal->Sync());
    for (const LogOperation& operation : pending) synced.Apply(operation);
    pending.clear();
    if (after_sync) after_sync();
    return Status::Ok();
  }

  // Whether `content` is a log that may be there now; then it is this one's.
  bool Accept(const WalContent& content) {
    LogModel model = synced;
    for (size_t i = 0;; ++i) {
      if (model.Matches(start, content)) {
        synced = std::move(model);
        pending.clear();
        return true;
      }
      if (i == pending.size()) return false;
      model.Apply(pending[i]);
    }
  }
};

}  // namespace strata::wal

#endif  // STRATA_WAL_WAL_SUITE_H_
