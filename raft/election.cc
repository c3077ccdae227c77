#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/raft.h"

// Elections: thesis chapter 3.4, pre-vote 9.6, transfer 3.10.
namespace strata::raft {

void Raft::TickElection() {
  ++election_elapsed_;
  if (election_elapsed_ < election_timeout_ || !Promotable()) return;
  election_elapsed_ = 0;
  StartElection(/*transfer=*/false);
}

// Those who find it out with us ask at different ticks. Who has not found it
// out refuses us, and will not refuse once it has; so too early costs no more
// than an election timeout.
void Raft::ReportGone(MemberId member) {
  constexpr uint32_t kSpreadTicks = 3;
  if (follower() == nullptr || leader() != member) return;
  BecomeFollower(term_, MemberId());
  election_timeout_ = 1 + static_cast<uint32_t>(random_.Below(
                              std::min(kSpreadTicks, options_.election_ticks)));
}

void Raft::Campaign() { StartElection(/*transfer=*/false); }

void Raft::StartElection(bool transfer) {
  if (is_leader() || !Promotable()) return;
  if (!bugs_.campaign_before_apply && HasUnappliedChange()) return;
  if (options_.pre_vote && !transfer) {
    BecomePreCandidate();
  } else {
    BecomeCandidate(transfer);
  }
}

// The members after such a change may differ from ours.
bool Raft::HasUnappliedChange() const {
  std::vector<Entry> entries;
  LogIndex next = log_.applied() + 1;
  while (next <= log_.committed()) {
    entries.clear();
    // What cannot be read may be one.
    if (!log_.Read(next, log_.committed() + 1, options_.max_append_bytes,
                   &entries)
             .ok()) {
      return true;
    }
    for (const Entry& entry : entries) {
      if (entry.type != EntryType::kNormal) return true;
    }
    next = entries.back().index + 1;
  }
  return false;
}

void Raft::BecomePreCandidate() {
  // Neither term nor vote change.
  ResetElection(term_);
  role_ = Candidate{.pre = true};
  local_reads_.AskAgain();
  AskForVotes(MessageType::kPreVote, term_ + 1, /*transfer=*/false);
  CountVote(options_.id, true);
}

// Requests wait for the disk, like votes: if we forgot this campaign and had
// another in the same term with a shorter log, votes for the longer one would
// count for it. Our own vote is a held message to ourselves.
void Raft::BecomeCandidate(bool transfer) {
  ResetElection(term_ + 1);
  vote_ = options_.id;
  role_ = Candidate{.pre = false};
  local_reads_.AskAgain();
  AskForVotes(MessageType::kVote, term_, transfer);
  SendWhenDurable({.type = MessageType::kVoteResponse, .to = options_.id});
}

void Raft::AskForVotes(MessageType type, Term term, bool transfer) {
  for (MemberId voter : configuration_.voters.All()) {
    if (voter == options_.id) continue;
    Message request{.type = type,
                    .to = voter,
                    .term = term,
                    .log_term = log_.LastTerm(),
                    .index = log_.last_index()};
    if (transfer) request.context = kTransferContext;
    if (type == MessageType::kPreVote) {
      Send(std::move(request));
    } else {
      SendWhenDurable(std::move(request));
    }
  }
}

void Raft::HandleVoteRequest(const Message& message) {
  const bool pre = message.type == MessageType::kPreVote;
  const bool free = vote_ == message.from ||
                    (vote_ == MemberId() && leader() == MemberId()) ||
                    (pre && message.term > term_) ||
                    (bugs_.vote_twice && !is_leader());
  const bool grant = free && (bugs_.vote_for_older_log ||
                              log_.IsUpToDate(message.index, message.log_term));
  // A learner answers too: it may have been promoted without knowing it yet.
  Message answer{
      .type = pre ? MessageType::kPreVoteResponse : MessageType::kVoteResponse,
      .to = message.from,
      .term = grant ? message.term : term_,
      .reject = !grant};
  if (!grant) {
    answer.commit = log_.committed();
    answer.log_term = log_.TermAt(log_.committed()).value_or(Term());
  }
  if (pre) return Send(std::move(answer));
  if (grant) {
    election_elapsed_ = 0;
    vote_ = message.from;
  }
  SendWhenDurable(std::move(answer));
}

// Who refuses us says how much is committed, which etcd's members do not heed.
// It is the way out for a candidate that counts on members of before: they know
// of a change that it has in its log, but not that it is committed.
void Raft::LearnCommit(const Message& refusal) {
  if (refusal.log_term != Term() &&
      log_.Matches(refusal.commit, refusal.log_term)) {
    log_.CommitTo(refusal.commit);
  }
}

void Raft::HandleVoteResponse(const Message& message) {
  if (message.reject) LearnCommit(message);
  const Candidate* candidacy = candidate();
  if (candidacy == nullptr) return;
  const bool pre = message.type == MessageType::kPreVoteResponse;
  if (pre != candidacy->pre) return;
  // A grant of a pre-vote that we asked for in an earlier term.
  if (pre && !message.reject && message.term != term_ + 1) return;
  CountVote(message.from, !message.reject);
}

void Raft::CountVote(MemberId from, bool granted) {
  auto& votes = candidate()->votes;
  const auto said = [&](MemberId voter) -> std::optional<bool> {
    for (const auto& [member, vote] : votes) {
      if (member == voter) return vote;
    }
    return std::nullopt;
  };
  if (!said(from).has_value()) votes.emplace_back(from, granted);
  const VoteResult result =
      bugs_.count_incoming_only
          ? MajorityVote(configuration_.voters.incoming, said)
          : configuration_.voters.Result(said);
  if (result == VoteResult::kLost) {
    BecomeFollower(term_, MemberId());
  } else if (result == VoteResult::kWon && candidate()->pre) {
    WinPreVote();
  } else if (result == VoteResult::kWon) {
    BecomeLeader();
  }
}

// A refusal may have taught us that a change is committed.
void Raft::WinPreVote() {
  if (!bugs_.campaign_before_apply && HasUnappliedChange()) {
    return BecomeFollower(term_, MemberId());
  }
  BecomeCandidate(/*transfer=*/false);
}

void Raft::BecomeLeader() {
  ResetElection(term_);
  role_ = Leader{.pending_conf_index = log_.last_index()};
  local_reads_.AskAgain();
  UpdatePeers(leading());
  // Who was not heard of before shows itself within the first election timeout.
  for (Peer& peer : leading()->peers) peer.progress.recent_active = false;
  // An entry of the new term: with it all before it is committed
  // (thesis 3.6.2).
  AppendAsLeader(Entry{});
}

}  // namespace strata::raft
