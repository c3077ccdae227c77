#include "raft/raft.h"

#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace strata::raft {
namespace {

bool IsVote(MessageType type) {
  return type == MessageType::kVote || type == MessageType::kPreVote;
}

// Only a leader sends these.
bool IsFromLeader(MessageType type) {
  return type == MessageType::kAppend || type == MessageType::kHeartbeat ||
         type == MessageType::kSnapshot;
}

bool TravelsWithoutTerm(MessageType type) {
  return type == MessageType::kPropose || type == MessageType::kReadIndex;
}

}  // namespace

std::string_view ToString(RoleName role) {
  switch (role) {
    case RoleName::kFollower:
      return "follower";
    case RoleName::kPreCandidate:
      return "pre-candidate";
    case RoleName::kCandidate:
      return "candidate";
    case RoleName::kLeader:
      return "leader";
  }
  return "";
}

Raft::Raft(const RaftOptions& options, const RaftStart& start,
           const LogStorage* storage)
    : options_(options),
      bugs_(options.planted_bugs == nullptr ? PlantedBugs()
                                            : *options.planted_bugs),
      storage_(storage),
      random_(options.random_seed),
      log_(storage, start.hard_state.commit, start.applied,
           options.cache_bytes),
      configuration_(Configuration::From(start.conf_state)),
      term_(start.hard_state.term),
      vote_(start.hard_state.vote),
      local_reads_(random_.Next()),
      given_hard_state_(start.hard_state),
      given_soft_state_({.term = term_}),
      durable_term_(term_) {
  CHECK_NE(options_.id, MemberId());
  CHECK_GT(options_.heartbeat_ticks, 0U);
  CHECK_LT(options_.heartbeat_ticks, options_.election_ticks);
  log_.keep_conflicts = bugs_.keep_conflicts;
  log_.ignore_replaced = bugs_.persist_replaced;
  ResetElection(term_);
}

MemberId Raft::leader() const {
  if (is_leader()) return options_.id;
  return follower() != nullptr ? follower()->leader : MemberId();
}

RoleName Raft::role_name() const {
  if (is_leader()) return RoleName::kLeader;
  if (follower() != nullptr) return RoleName::kFollower;
  return std::get<Candidate>(role_).pre ? RoleName::kPreCandidate
                                        : RoleName::kCandidate;
}

bool Raft::Promotable() const {
  return configuration_.voters.Contains(options_.id) && !log_.restoring() &&
         restored_members_.empty();
}

void Raft::ResetElection(Term term) {
  if (term != term_) {
    CHECK_GT(term, term_);
    term_ = term;
    vote_ = MemberId();
  }
  election_elapsed_ = 0;
  election_timeout_ =
      options_.election_ticks +
      static_cast<uint32_t>(random_.Below(options_.election_ticks));
}

void Raft::BecomeFollower(Term term, MemberId leader) {
  ResetElection(term);
  role_ = Follower{.leader = leader};
  local_reads_.AskAgain();
}

void Raft::Tick() {
  local_reads_.Tick(options_.election_ticks, 10 * options_.election_ticks,
                    &lost_reads_);
  if (is_leader()) {
    TickLeader();
  } else {
    TickElection();
  }
}

Status Raft::CheckMessage(const Message& message) const {
  const auto wrong = [&](std::string_view what) {
    return InvalidArgumentError(
        "raft: " + std::string(MessageTypeName(message.type)) + " from " +
        HexId(message.from.value()) + " " + std::string(what));
  };
  if (message.to != options_.id) return wrong("is for another member");
  if (message.from == MemberId()) return wrong("is from nobody");
  if ((message.term == Term()) != TravelsWithoutTerm(message.type)) {
    return wrong("has a wrong term");
  }
  if (message.type == MessageType::kSnapshot &&
      (!message.snapshot || message.snapshot->metadata.index == LogIndex())) {
    return wrong("has no snapshot");
  }
  if (message.type == MessageType::kAppend) {
    LogIndex index = message.index;
    for (const Entry& entry : message.entries) {
      if (entry.index != ++index) return wrong("skips an entry");
    }
  }
  return Status::Ok();
}

Status Raft::Step(Message message) {
  RETURN_IF_ERROR(CheckMessage(message));
  if (message.term == Term()) return StepWithoutTerm(std::move(message));
  if (message.term < term_) {
    StepLowerTerm(message);
    return Status::Ok();
  }
  if (message.term > term_) {
    if (!StepHigherTerm(message)) return Status::Ok();
  }
  if (IsVote(message.type)) {
    HandleVoteRequest(message);
    return Status::Ok();
  }
  return StepRole(std::move(message));
}

// A leader was heard of within the least election timeout.
bool Raft::InLease() const {
  return options_.check_quorum && leader() != MemberId() &&
         election_elapsed_ < options_.election_ticks;
}

// False if the message is not heeded.
bool Raft::StepHigherTerm(const Message& message) {
  const bool vote = IsVote(message.type);
  if (vote && message.context != kTransferContext && InLease()) {
    return false;
  }
  if (message.type == MessageType::kPreVote) {
    // Our term does not change: nobody campaigns yet.
  } else if (message.type == MessageType::kPreVoteResponse && !message.reject) {
    // It has the term of the campaign that we asked about.
  } else {
    BecomeFollower(message.term,
                   IsFromLeader(message.type) ? message.from : MemberId());
  }
  return true;
}

// A leader that is behind may never hear from anyone but us: with check-quorum
// we do not disturb it by campaigns, so we tell it our term. With pre-vote the
// same for a candidate, which asks at a term that is not higher.
void Raft::StepLowerTerm(const Message& message) {
  const bool told = options_.check_quorum || options_.pre_vote;
  if (told && (message.type == MessageType::kHeartbeat ||
               message.type == MessageType::kAppend)) {
    Send({.type = MessageType::kAppendResponse, .to = message.from});
  } else if (message.type == MessageType::kPreVote) {
    Send({.type = MessageType::kPreVoteResponse,
          .to = message.from,
          .reject = true});
  } else if (message.type == MessageType::kPreVoteResponse && message.reject) {
    LearnCommit(message);
  }
}

Status Raft::StepWithoutTerm(Message message) {
  if (is_leader()) {
    if (message.type == MessageType::kPropose) {
      return HandleProposals(std::move(message));
    }
    HandleReadIndex(std::move(message));
    return Status::Ok();
  }
  // It took us for the leader. Pass it on, but not to and fro.
  if (leader() == MemberId() || leader() == message.from) return Status::Ok();
  message.to = leader();
  messages_.push_back(std::move(message));
  return Status::Ok();
}

Status Raft::StepRole(Message message) {
  switch (message.type) {
    case MessageType::kAppend:
    case MessageType::kHeartbeat:
    case MessageType::kSnapshot:
      return HearLeader(std::move(message));
    case MessageType::kVoteResponse:
    case MessageType::kPreVoteResponse:
      HandleVoteResponse(message);
      break;
    case MessageType::kAppendResponse:
      HandleAppendResponse(message);
      break;
    case MessageType::kHeartbeatResponse:
      HandleHeartbeatResponse(message);
      break;
    case MessageType::kTransferLeader:
      HandleTransfer(message.from);
      break;
    case MessageType::kTimeoutNow:
      if (!is_leader()) StartElection(/*transfer=*/true);
      break;
    case MessageType::kReadIndexResponse:
      HandleReadIndexResponse(message);
      break;
    default:
      break;
  }
  return Status::Ok();
}

void Raft::Send(Message message) {
  message.from = options_.id;
  if (message.term == Term()) message.term = term_;
  messages_.push_back(std::move(message));
}

void Raft::SendWhenDurable(Message message) {
  if (bugs_.answer_before_persist && message.to != options_.id) {
    return Send(std::move(message));
  }
  message.from = options_.id;
  if (message.term == Term()) message.term = term_;
  held_.push_back({.sequence = std::nullopt, .message = std::move(message)});
}

}  // namespace strata::raft
