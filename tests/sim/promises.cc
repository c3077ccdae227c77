#include "tests/sim/promises.h"

#include <algorithm>

#include "base/bytes.h"

namespace strata::sim {
namespace {

std::string Two(const std::string& what, Term term, MemberId a, MemberId b) {
  return what + " in term " + std::to_string(term.value()) + ": " +
         HexId(a.value()) + " and " + HexId(b.value());
}

}  // namespace

std::string Promises::Heard(const raft::Message& message) {
  switch (message.type) {
    case raft::MessageType::kAppend:
    case raft::MessageType::kHeartbeat: {
      const auto [at, first] = leaders_.emplace(message.term, message.from);
      if (!first && at->second != message.from) {
        return Two("two lead", message.term, at->second, message.from);
      }
      LogIndex& commit = commits_[message.term];
      commit = std::max(commit, message.commit);
      return "";
    }
    case raft::MessageType::kVoteResponse: {
      if (message.reject) return "";
      const auto [at, first] =
          votes_.emplace(std::pair(message.term, message.from), message.to);
      if (!first && at->second != message.to) {
        return HexId(message.from.value()) +
               Two(" votes for two", message.term, at->second, message.to);
      }
      Promised& promised = promised_[message.from];
      promised.term = std::max(promised.term, message.term);
      return "";
    }
    case raft::MessageType::kAppendResponse: {
      // To 0: only says to a leader of the past that there is a later term.
      if (message.reject || message.index == LogIndex()) return "";
      Promised& promised = promised_[message.from];
      promised.term = std::max(promised.term, message.term);
      LogIndex& index = promised.acknowledged[message.term];
      index = std::max(index, message.index);
      Committed(&promised, message.term);
      if (promised.acknowledged.size() > 4) {
        promised.acknowledged.erase(promised.acknowledged.begin());
      }
      return "";
    }
    default:
      return "";
  }
}

void Promises::Committed(Promised* promised, Term term) {
  const auto commit = commits_.find(term);
  if (commit == commits_.end()) return;
  promised->committed =
      std::max(promised->committed,
               std::min(commit->second, promised->acknowledged[term]));
}

std::string Promises::Check(MemberId member,
                            const ReplicatorStatus& status) const {
  const auto at = promised_.find(member);
  // It has not begun yet, in this life.
  if (at == promised_.end() || status.term == Term()) return "";
  if (status.term < at->second.term) {
    return HexId(member.value()) + " is back in term " +
           std::to_string(status.term.value()) + ", it answered in " +
           std::to_string(at->second.term.value());
  }
  if (status.last_index < at->second.committed) {
    return HexId(member.value()) + " has entries up to " +
           std::to_string(status.last_index.value()) +
           ", it acknowledged committed ones up to " +
           std::to_string(at->second.committed.value());
  }
  return "";
}

}  // namespace strata::sim
