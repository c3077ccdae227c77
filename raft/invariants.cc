#include "raft/invariants.h"

#include <algorithm>
#include <functional>
#include <sstream>

namespace strata::raft {
namespace {

// Says what is wrong: Violation() << "..." << x;
class Violation {
 public:
  template <typename T>
  Violation& operator<<(const T& value) {
    text_ << value;
    return *this;
  }
  operator std::string() const { return text_.str(); }  // NOLINT: implicit

 private:
  std::ostringstream text_;
};

uint64_t Digest(const Entry& entry) {
  const uint64_t data = std::hash<std::string>()(entry.data);
  return data * 31 + static_cast<uint64_t>(entry.type);
}

}  // namespace

#define RETURN_IF_VIOLATED(expression)      \
  do {                                      \
    std::string violated = (expression);    \
    if (!violated.empty()) return violated; \
  } while (false)

std::string Invariants::Check(std::span<const MemberView> members) {
  for (const MemberView& member : members) {
    if (member.raft == nullptr) {
      mirrors_.erase(member.id);
    } else {
      RETURN_IF_VIOLATED(CheckMember(member));
    }
  }
  // Who is leader is known of all before anything is said to be committed.
  for (const MemberView& member : members) {
    if (member.raft == nullptr) continue;
    Mirror& mirror = mirrors_[member.id];
    RETURN_IF_VIOLATED(CheckCommit(member, mirror, members));
    mirror.committed = member.raft->log().committed();
    if (member.raft->is_leader()) {
      RETURN_IF_VIOLATED(CheckLeader(*member.raft, members));
    }
  }
  return "";
}

std::string Invariants::CheckMember(const MemberView& member) {
  const Raft& raft = *member.raft;
  Mirror& mirror = mirrors_[member.id];
  if (mirror.life != &raft) {
    mirror = {.life = &raft,
              .first = raft.log().FirstIndex(),
              .terms = {},
              .term = raft.term(),
              .vote = raft.vote(),
              .committed = raft.log().applied()};
  }
  RETURN_IF_VIOLATED(CheckTerm(member, mirror));
  RETURN_IF_VIOLATED(CheckOrder(raft));
  RETURN_IF_VIOLATED(CheckDurable(member));
  RETURN_IF_VIOLATED(CheckLog(member, &mirror));
  if (raft.is_leader()) RETURN_IF_VIOLATED(CheckElection(member));
  RETURN_IF_VIOLATED(CheckCampaign(raft, mirror.role));
  RETURN_IF_VIOLATED(CheckConfiguration(raft));
  mirror.term = raft.term();
  mirror.vote = raft.vote();
  mirror.role = raft.role_name();
  return "";
}

std::string Invariants::CheckTerm(const MemberView& member,
                                  const Mirror& mirror) {
  const Raft& raft = *member.raft;
  if (raft.term() < mirror.term) {
    return Violation() << member.id << " went back to term " << raft.term();
  }
  if (raft.term() == mirror.term && mirror.vote != MemberId() &&
      raft.vote() != mirror.vote) {
    return Violation() << member.id << " changed its vote in term "
                       << raft.term();
  }
  const RoleName role = raft.role_name();
  if ((role == RoleName::kLeader || role == RoleName::kCandidate) &&
      raft.vote() != member.id) {
    return Violation() << member.id << " is " << ToString(role)
                       << " without its own vote";
  }
  return "";
}

std::string Invariants::CheckOrder(const Raft& raft) {
  const Log& log = raft.log();
  if (log.applied() > log.applying() || log.applying() > log.committed() ||
      log.committed() > log.last_index() || log.stable() > log.last_index() ||
      log.committed() < mirrors_[raft.id()].committed) {
    return Violation() << raft.id() << ": applied " << log.applied()
                       << " applying " << log.applying() << " committed "
                       << log.committed() << " stable " << log.stable()
                       << " last " << log.last_index()
                       << " are out of order, or committed has shrunk";
  }
  return "";
}

// What it acknowledges and applies by: on its disk it has not been replaced.
std::string Invariants::CheckDurable(const MemberView& member) {
  const Log& log = member.raft->log();
  const LogIndex stable = log.stable();
  if (log.restoring() || stable < member.storage->FirstIndex() ||
      member.storage->TermAt(stable) == log.TermAt(stable)) {
    return "";
  }
  return Violation() << member.id << " takes entry " << stable
                     << " for durable, which its disk has not";
}

// Log matching and leader append-only, over what has changed since last time.
std::string Invariants::CheckLog(const MemberView& member, Mirror* mirror) {
  const Raft& raft = *member.raft;
  const Log& log = raft.log();
  const LogIndex end = mirror->first + mirror->terms.size();
  LogIndex same = std::min(end - 1, log.last_index());
  while (same >= mirror->first &&
         log.TermAt(same) != mirror->terms[same - mirror->first] &&
         log.TermAt(same).has_value()) {
    --same;
  }
  if (mirror->role == RoleName::kLeader && raft.is_leader() &&
      mirror->term == raft.term() && same + 1 < end) {
    return Violation() << "leader append-only: " << member.id
                       << " as leader of term " << raft.term()
                       << " replaced its entry " << same + 1;
  }
  LogIndex next = std::max(same + 1, log.FirstIndex());
  if (next > end || mirror->first > next) {  // a snapshot
    mirror->first = next;
    mirror->terms.clear();
  }
  mirror->terms.resize(next - mirror->first);
  std::vector<Entry> entries;
  while (next <= log.last_index()) {
    entries.clear();
    if (!log.Read(next, log.last_index() + 1, 1 << 20, &entries).ok()) {
      return Violation() << member.id << " cannot read its entry " << next;
    }
    for (const Entry& entry : entries) {
      const Term before = log.TermAt(entry.index - 1).value_or(Term());
      RETURN_IF_VIOLATED(CheckEntry(raft, entry, before));
      if (raft.is_leader() && entry.term == raft.term() &&
          entry.type != EntryType::kNormal) {
        RETURN_IF_VIOLATED(CheckOneChange(raft, entry.index));
      }
      mirror->terms.push_back(entry.term);
    }
    next = entries.back().index + 1;
  }
  return "";
}

// An index and a term name one entry, everywhere, with one entry before it; so
// logs that agree at one place agree before it.
std::string Invariants::CheckEntry(const Raft& raft, const Entry& entry,
                                   Term before) {
  const Known now{.before = before, .digest = Digest(entry)};
  const auto [at, fresh] =
      entries_.emplace(std::pair(entry.index, entry.term), now);
  if (!fresh &&
      (at->second.before != before || at->second.digest != now.digest)) {
    return Violation() << "log matching: entry " << entry.index << " of term "
                       << entry.term << " at " << raft.id()
                       << " is another, or follows another, than elsewhere";
  }
  if (entry.term < before) {
    return Violation() << raft.id() << ": the term falls at " << entry.index;
  }
  if (entry.term > raft.term()) {
    return Violation() << raft.id() << " has entry " << entry.index
                       << " of a term to come";
  }
  return "";
}

namespace {

// The first configuration change in [low, high); 0 if there is none.
LogIndex FindChange(const Log& log, LogIndex low, LogIndex high) {
  std::vector<Entry> entries;
  while (low < high) {
    entries.clear();
    if (!log.Read(low, high, 1 << 20, &entries).ok()) return low;
    for (const Entry& entry : entries) {
      if (entry.type != EntryType::kNormal) return entry.index;
    }
    low = entries.back().index + 1;
  }
  return LogIndex(0);
}

}  // namespace

// A leader appends a change only when it has applied those before it: so who
// has two in its log knows that the first is committed.
std::string Invariants::CheckOneChange(const Raft& raft, LogIndex change) {
  const LogIndex other =
      FindChange(raft.log(), raft.log().applied() + 1, change);
  if (other == LogIndex(0)) return "";
  return Violation() << raft.id() << " appended the change " << change
                     << " before it applied the one at " << other;
}

// Nobody asks for votes of members that it knows to be those of before.
std::string Invariants::CheckCampaign(const Raft& raft, RoleName before) {
  const RoleName now = raft.role_name();
  const bool asks =
      now == RoleName::kPreCandidate || now == RoleName::kCandidate;
  if (!asks || now == before) return "";
  const Log& log = raft.log();
  const LogIndex change =
      FindChange(log, log.applied() + 1, log.committed() + 1);
  if (change == LogIndex(0)) return "";
  return Violation() << raft.id()
                     << " campaigns and has not applied the change " << change
                     << ", which it knows to be committed";
}

std::string Invariants::CheckElection(const MemberView& member) {
  const Raft& raft = *member.raft;
  const auto [at, fresh] = leaders_.emplace(raft.term(), member.id);
  if (at->second != member.id) {
    return Violation() << "election safety: " << at->second << " and "
                       << member.id << " lead in term " << raft.term();
  }
  return fresh ? CheckCompleteness(raft, LogIndex(0)) : "";
}

// What was committed in an earlier term, from index `from` on, is in the log of
// a leader.
std::string Invariants::CheckCompleteness(const Raft& leader, LogIndex from) {
  from = std::max(from, leader.log().FirstIndex());
  for (auto at = committed_.lower_bound(from); at != committed_.end(); ++at) {
    const auto& [index, committed] = *at;
    if (committed.seen_in >= leader.term()) continue;
    if (!leader.log().Matches(index, committed.term)) {
      return Violation() << "leader completeness: " << leader.id()
                         << " leads in term " << leader.term()
                         << " without entry " << index << " of term "
                         << committed.term << ", which was committed";
    }
  }
  return "";
}

std::string Invariants::CheckCommit(const MemberView& member,
                                    const Mirror& mirror,
                                    std::span<const MemberView> members) {
  const Raft& raft = *member.raft;
  const LogIndex begin =
      std::max(mirror.committed + 1, raft.log().FirstIndex());
  for (LogIndex index = begin; index <= raft.log().committed(); ++index) {
    const Term term = raft.log().TermAt(index).value_or(Term());
    const auto [at, fresh] = committed_.emplace(
        index, Committed{.term = term, .seen_in = raft.term()});
    if (at->second.term != term) {
      return Violation() << "state machine safety: " << member.id
                         << " committed entry " << index << " of term " << term
                         << ", elsewhere it is of term " << at->second.term;
    }
    if (!fresh) continue;
    if (raft.is_leader()) {
      RETURN_IF_VIOLATED(CheckQuorumHas(raft, index, term, members));
    }
    for (const MemberView& other : members) {
      if (other.raft != nullptr && other.raft->is_leader()) {
        RETURN_IF_VIOLATED(CheckCompleteness(*other.raft, index));
      }
    }
  }
  return "";
}

// A crash of all cannot take back what was just committed.
std::string Invariants::CheckQuorumHas(const Raft& leader, LogIndex index,
                                       Term term,
                                       std::span<const MemberView> members) {
  const auto has = [&](MemberId voter) -> std::optional<bool> {
    for (const MemberView& member : members) {
      if (member.id != voter) continue;
      return member.storage->TermAt(index) == term ||
             index < member.storage->FirstIndex();
    }
    return false;
  };
  if (leader.configuration().voters.Result(has) == VoteResult::kWon) return "";
  return Violation() << leader.id() << " committed entry " << index
                     << " of term " << term << ", which no quorum of "
                     << ToString(leader.configuration()) << " has on disk";
}

std::string Invariants::CheckLeader(const Raft& raft,
                                    std::span<const MemberView> members) {
  const Leader& leader = std::get<Leader>(raft.role());
  MemberSet others = raft.configuration().Members();
  if (!raft.configuration().voters.Contains(raft.id()) &&
      leader.retire_at == LogIndex()) {
    return Violation() << raft.id() << " leads without a vote";
  }
  others.Erase(raft.id());
  if (leader.peers.size() != others.size()) {
    return Violation() << raft.id() << " follows the progress of others than "
                       << ToString(others);
  }
  for (const Peer& peer : leader.peers) {
    const Progress& progress = peer.progress;
    if (!others.Contains(peer.id) || progress.next() <= progress.match() ||
        progress.match() > raft.log().last_index()) {
      return Violation() << raft.id() << ": impossible progress of " << peer.id
                         << ": " << ToString(progress);
    }
    // What a deposed leader knew, the next one may have replaced since.
    if (leaders_.rbegin()->first > raft.term()) continue;
    for (const MemberView& member : members) {
      if (member.id != peer.id) continue;
      const std::optional<Term> ours = raft.log().TermAt(progress.match());
      const std::optional<Term> its = member.storage->TermAt(progress.match());
      if (progress.match() >= member.storage->FirstIndex() &&
          ours.has_value() && its != ours) {
        return Violation() << raft.id() << " believes that " << peer.id
                           << " has all up to " << progress.match()
                           << ", which its disk has not";
      }
    }
  }
  return "";
}

// The members are a function of what is applied.
std::string Invariants::CheckConfiguration(const Raft& raft) {
  const Log& log = raft.log();
  auto at = configurations_.upper_bound(log.applied());
  if (at == configurations_.begin()) return "";
  --at;
  const Configuration expected = Configuration::From(at->second);
  if (raft.configuration() == expected) return "";
  return Violation() << raft.id() << " has " << ToString(raft.configuration())
                     << " at " << log.applied() << ", not "
                     << ToString(expected);
}

std::string Invariants::SeeMessage(const Message& message) {
  const bool asks = message.type == MessageType::kVote;
  const bool grants =
      message.type == MessageType::kVoteResponse && !message.reject;
  if (!asks && !grants) return "";
  const MemberId candidate = asks ? message.from : message.to;
  const auto [at, fresh] =
      votes_.emplace(std::pair(message.from, message.term), candidate);
  if (at->second == candidate) return "";
  return Violation() << message.from << " voted for " << at->second << " and "
                     << candidate << " in term " << message.term;
}

std::string Invariants::SeeState(LogIndex index, uint64_t digest) {
  const auto [at, fresh] = applied_.emplace(index, digest);
  if (at->second == digest) return "";
  return Violation() << "state machine safety: two states after entry "
                     << index;
}

void Invariants::StartWith(const ConfState& members) {
  configurations_[LogIndex(0)] = members;
}

std::string Invariants::SeeConfiguration(LogIndex index,
                                         const ConfState& members) {
  const auto [at, fresh] = configurations_.emplace(index, members);
  if (at->second == members) return "";
  return Violation() << "two configurations after entry " << index;
}

LogIndex Invariants::committed() const {
  return committed_.empty() ? LogIndex() : committed_.rbegin()->first;
}

std::string Invariants::SeeRead(LogIndex asked, LogIndex index) {
  if (index >= asked) return "";
  return Violation() << "a read is served at " << index << ", though " << asked
                     << " was committed when it was asked for";
}

#undef RETURN_IF_VIOLATED

}  // namespace strata::raft
