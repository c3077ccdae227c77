#include "raft/raft_testing.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "raft/configuration.h"
#include "raft/read_index.h"

namespace strata::raft {

std::optional<Term> MemoryStorage::TermAt(LogIndex index) const {
  if (index == compacted_) return compacted_term_;
  if (index < compacted_ || index > LastIndex()) return std::nullopt;
  return entries_[index - compacted_ - 1].term;
}

Status MemoryStorage::Entries(LogIndex low, LogIndex high, uint64_t max_bytes,
                              std::vector<Entry>* entries) const {
  CHECK(low < high && high <= LastIndex() + 1) << low << ".." << high;
  if (low < FirstIndex()) return OutOfRangeError("compacted");
  uint64_t bytes = 0;
  for (LogIndex index = low; index < high; ++index) {
    const Entry& entry = entries_[index - compacted_ - 1];
    bytes += EntryBytes(entry);
    if (bytes > max_bytes && index > low) break;
    entries->push_back(entry);
  }
  return Status::Ok();
}

void MemoryStorage::Append(std::vector<Entry> entries) {
  if (entries.empty()) return;
  const LogIndex first = entries.front().index;
  CHECK(first > compacted_ && first <= LastIndex() + 1) << first;
  while (LastIndex() >= first) entries_.pop_back();
  for (Entry& entry : entries) entries_.push_back(std::move(entry));
}

void MemoryStorage::Install(const Snapshot& snapshot) {
  snapshot_ = snapshot;
  entries_.clear();
  compacted_ = snapshot.metadata.index;
  compacted_term_ = snapshot.metadata.term;
}

void MemoryStorage::CompactTo(LogIndex index) {
  if (index <= compacted_) return;
  CHECK(index <= LastIndex() && index <= snapshot_.metadata.index);
  compacted_term_ = *TermAt(index);
  entries_.erase(entries_.begin(),
                 entries_.begin() + static_cast<ptrdiff_t>(index - compacted_));
  compacted_ = index;
}

const std::vector<Plant>& AllPlants() {
  static const std::vector<Plant> plants = {
      {"forget_vote", &PlantedBugs::forget_vote},
      {"answer_before_persist", &PlantedBugs::answer_before_persist},
      {"commit_old_term", &PlantedBugs::commit_old_term},
      {"commit_own_unpersisted", &PlantedBugs::commit_own_unpersisted},
      {"keep_conflicts", &PlantedBugs::keep_conflicts},
      {"persist_replaced", &PlantedBugs::persist_replaced},
      {"vote_for_older_log", &PlantedBugs::vote_for_older_log},
      {"vote_twice", &PlantedBugs::vote_twice},
      {"any_read_round", &PlantedBugs::any_read_round},
      {"read_before_own_commit", &PlantedBugs::read_before_own_commit},
      {"count_incoming_only", &PlantedBugs::count_incoming_only},
      {"count_learners", &PlantedBugs::count_learners},
      {"overlapping_changes", &PlantedBugs::overlapping_changes},
      {"snapshot_keeps_members", &PlantedBugs::snapshot_keeps_members},
      {"heartbeat_commits_all", &PlantedBugs::heartbeat_commits_all},
      {"campaign_before_apply", &PlantedBugs::campaign_before_apply}};
  return plants;
}

StatusOr<ConfChangeV2> ParseConfChange(const TranscriptCommand& command) {
  ConfChangeV2 change;
  if (command.name == "leave") return change;
  const std::string transition = command.Option("transition", "auto");
  if (transition == "implicit") {
    change.transition = ConfChangeTransition::kJointImplicit;
  } else if (transition == "explicit") {
    change.transition = ConfChangeTransition::kJointExplicit;
  }
  static const std::map<char, ConfChangeType> kTypes = {
      {'+', ConfChangeType::kAddNode},
      {'-', ConfChangeType::kRemoveNode},
      {'~', ConfChangeType::kAddLearnerNode},
      {'=', ConfChangeType::kUpdateNode}};
  for (const std::string& word : command.args) {
    auto type = kTypes.find(word[0]);
    if (type == kTypes.end()) continue;  // who is asked
    change.changes.push_back(
        {.type = type->second, .node = MemberId(std::stoull(word.substr(1)))});
  }
  if (change.changes.empty()) return InvalidArgumentError("what change?");
  return change;
}

std::string Describe(const Entry& entry) {
  std::ostringstream text;
  text << entry.index << '/' << entry.term;
  if (entry.type == EntryType::kNormal) {
    if (!entry.data.empty()) text << " '" << Printable(entry.data) << "'";
    return text.str();
  }
  const StatusOr<ConfChangeV2> change = DecodeConfChangeEntry(entry);
  if (!change.ok()) return text.str() + " (no change)";
  if (change->LeavesJoint()) return text.str() + " (leave)";
  text << " (";
  for (const ConfChangeSingle& single : change->changes) {
    text << (text.str().back() == '(' ? "" : " ")
         << "+-=~"[static_cast<int>(single.type)] << single.node;
  }
  text << ')';
  return text.str();
}

namespace {

void DescribeAppend(const Message& message, std::ostream& text) {
  text << " after " << message.index << '/' << message.log_term;
  if (!message.entries.empty()) text << ':';
  for (const Entry& entry : message.entries) text << ' ' << Describe(entry);
  text << " commit=" << message.commit;
}

void DescribeAnswer(const Message& message, std::ostream& text) {
  if (!message.reject) {
    text << " has " << message.index;
    return;
  }
  text << " refuses " << message.index << " hint " << message.reject_hint << '/'
       << message.log_term;
}

void DescribeBody(const Message& message, std::ostream& text) {
  switch (message.type) {
    case MessageType::kAppend:
      return DescribeAppend(message, text);
    case MessageType::kAppendResponse:
      return DescribeAnswer(message, text);
    case MessageType::kVote:
    case MessageType::kPreVote:
      text << " last " << message.index << '/' << message.log_term;
      if (message.context == kTransferContext) text << " transfer";
      return;
    case MessageType::kVoteResponse:
    case MessageType::kPreVoteResponse:
      text << (message.reject ? " no" : " yes");
      if (message.reject && message.commit != LogIndex()) {
        text << ", commit=" << message.commit << '/' << message.log_term;
      }
      return;
    case MessageType::kHeartbeat:
      text << " commit=" << message.commit;
      [[fallthrough]];
    case MessageType::kHeartbeatResponse:
      if (!message.context.empty()) {
        text << " round=" << DecodeRound(message.context);
      }
      return;
    case MessageType::kSnapshot:
      text << ' ' << message.snapshot->metadata.index << '/'
           << message.snapshot->metadata.term << ' '
           << ToString(
                  Configuration::From(message.snapshot->metadata.conf_state));
      return;
    case MessageType::kReadIndexResponse:
      text << " at " << message.index;
      return;
    case MessageType::kPropose:
      for (const Entry& entry : message.entries) {
        text << " '" << Printable(entry.data) << "'";
      }
      return;
    default:
      return;
  }
}

}  // namespace

std::string Describe(const Message& message) {
  std::ostringstream text;
  text << message.from << "->" << message.to << ' '
       << MessageTypeName(message.type);
  if (message.term != Term()) text << " t" << message.term;
  DescribeBody(message, text);
  return text.str();
}

}  // namespace strata::raft
