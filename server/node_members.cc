#include <algorithm>
#include <utility>
#include <variant>

#include "base/bytes.h"
#include "server/command.h"
#include "server/errors.h"
#include "server/identity.h"
#include "server/node_impl.h"

// Changes of the cluster's members, by the rules of etcd.
namespace strata {
namespace {

// A learner may be promoted when it has this much of the leader's log.
constexpr double kReadyFraction = 0.9;

// The path that etcd takes through its checks: one more voter, or one less.
size_t Quorum(size_t voters) { return voters / 2 + 1; }

std::vector<const MemberRecord*> Voters(const Membership& membership) {
  std::vector<const MemberRecord*> voters;
  for (const auto& [id, member] : membership.members) {
    if (!member.is_learner) voters.push_back(&member);
  }
  return voters;
}

bool IsStarted(const MemberRecord& member) { return !member.name.empty(); }

bool IsUrl(const std::string& url) {
  for (const std::string_view scheme :
       {"http://", "https://", "unix://", "unixs://"}) {
    if (url.starts_with(scheme) && url.size() > scheme.size()) return true;
  }
  return false;
}

bool AreUrls(const std::vector<std::string>& urls) {
  return !urls.empty() && std::all_of(urls.begin(), urls.end(), IsUrl);
}

}  // namespace

Status NodeImpl::CheckTransport() const {
  return world_.transport != nullptr
             ? Status::Ok()
             : UnimplementedError(
                   "others can be added to a single member only if it was "
                   "started with --listen-peer-urls or --initial-cluster");
}

void NodeImpl::ProposeConfChange(raft::ConfChange change,
                                 std::function<void(const Status&)> done) {
  if (raft() == nullptr) {
    return WhenMember([this, change = std::move(change),
                       done = std::move(done)](const Status& status) {
      if (!status.ok()) return done(status);
      ProposeConfChange(change, done);
    });
  }
  auto proposal = std::make_unique<Proposal>();
  change.id = ids_.Next();
  proposal->bytes = change.context.size();
  proposal->conf_change = std::move(change);
  proposal->reply = [done =
                         std::move(done)](const StatusOr<ApplyResult>& result) {
    done(result.status());
  };
  replicator_->Propose(std::move(proposal));
}

size_t NodeImpl::ConnectedVoters(const Membership& membership) const {
  size_t connected = 0;
  for (const MemberRecord* member : Voters(membership)) {
    if (member->id == member_id_ || world_.transport->Active(member->id)) {
      ++connected;
    }
  }
  return connected;
}

// With one more voter, those who have started must still be a quorum; and all
// voters there are must be up.
Status NodeImpl::CheckReadyToAdd(const Membership& membership) const {
  if (!options_.strict_reconfig_check) return Status::Ok();
  const auto voters = Voters(membership);
  const size_t started = static_cast<size_t>(
      std::count_if(voters.begin(), voters.end(),
                    [](const auto* member) { return IsStarted(*member); }));
  // A single member may always get a second one.
  const bool second = voters.size() == 1 && started == 1;
  if (!second && started < Quorum(voters.size() + 1)) {
    return errors::NotEnoughStarted();
  }
  return ConnectedVoters(membership) == voters.size()
             ? Status::Ok()
             : errors::UnhealthyCluster();
}

Status NodeImpl::CheckReadyToRemove(const Membership& membership,
                                    MemberId id) const {
  if (!options_.strict_reconfig_check) return Status::Ok();
  const auto at = membership.members.find(id);
  if (at == membership.members.end() || at->second.is_learner) {
    return Status::Ok();
  }
  size_t rest = 0;
  size_t started = 0;
  for (const MemberRecord* member : Voters(membership)) {
    if (member->id == id) continue;
    ++rest;
    started += IsStarted(*member) ? 1 : 0;
  }
  if (rest == 0 || started < Quorum(rest)) return errors::NotEnoughStarted();
  // One that is down is no part of a quorum that works.
  if (id != member_id_ && !world_.transport->Active(id)) return Status::Ok();
  const size_t active = ConnectedVoters(membership);
  return active - 1 >= Quorum(rest) ? Status::Ok() : errors::UnhealthyCluster();
}

void NodeImpl::AddMember(const std::vector<std::string>& peer_urls,
                         bool is_learner,
                         std::function<void(StatusOr<MemberRecord>)> reply) {
  Status status = CheckTransport();
  if (status.ok() && !AreUrls(peer_urls)) status = errors::BadMemberUrls();
  const Membership members = cluster_.membership();
  if (status.ok() && !is_learner) status = CheckReadyToAdd(members);
  MemberRecord member{.peer_urls = peer_urls, .is_learner = is_learner};
  std::sort(member.peer_urls.begin(), member.peer_urls.end());
  member.id = MakeMemberId(
      member.peer_urls, std::to_string(world_.loop->WallNow() / 1'000'000'000));
  raft::ConfChange change{.type = is_learner
                                      ? raft::ConfChangeType::kAddLearnerNode
                                      : raft::ConfChangeType::kAddNode,
                          .node = member.id,
                          .context = EncodeMemberJson(member)};
  if (status.ok()) status = cluster_.Check(change);
  if (!status.ok()) return reply(status);
  ProposeConfChange(std::move(change),
                    [member, reply = std::move(reply)](const Status& done) {
                      if (!done.ok()) return reply(done);
                      reply(member);
                    });
}

void NodeImpl::RemoveMember(MemberId id, MembersReply reply) {
  Status status = CheckTransport();
  const raft::ConfChange change{.type = raft::ConfChangeType::kRemoveNode,
                                .node = id};
  if (status.ok()) status = cluster_.Check(change);
  if (status.ok()) status = CheckReadyToRemove(cluster_.membership(), id);
  if (!status.ok()) return reply(status);
  ProposeConfChange(change,
                    [this, reply = std::move(reply)](const Status& done) {
                      if (!done.ok()) return reply(done);
                      reply(cluster_.membership());
                    });
}

void NodeImpl::UpdateMember(MemberId id,
                            const std::vector<std::string>& peer_urls,
                            MembersReply reply) {
  Status status = CheckTransport();
  if (status.ok() && !AreUrls(peer_urls)) status = errors::BadMemberUrls();
  MemberRecord member{.id = id, .peer_urls = peer_urls};
  std::sort(member.peer_urls.begin(), member.peer_urls.end());
  if (const auto known = cluster_.Find(id)) {
    member.is_learner = known->is_learner;
  }
  raft::ConfChange change{.type = raft::ConfChangeType::kUpdateNode,
                          .node = id,
                          .context = EncodeMemberJson(member)};
  if (status.ok()) status = cluster_.Check(change);
  if (!status.ok()) return reply(status);
  ProposeConfChange(std::move(change),
                    [this, reply = std::move(reply)](const Status& done) {
                      if (!done.ok()) return reply(done);
                      reply(cluster_.membership());
                    });
}

// On the loop, at the leader.
Status NodeImpl::CheckReadyToPromote(MemberId id,
                                     const Membership& membership) const {
  const auto at = membership.members.find(id);
  if (at == membership.members.end()) return errors::MemberNotFound();
  if (!at->second.is_learner) return errors::NotLearner();
  if (raft() == nullptr) return errors::NotLeader();
  const std::optional<LogIndex> match = raft()->MatchOf(id);
  if (!match) return errors::NotLeader();
  const auto last = static_cast<double>(raft()->last_index().value());
  if (static_cast<double>(match->value()) < last * kReadyFraction) {
    return errors::LearnerNotReady();
  }
  if (!options_.strict_reconfig_check) return Status::Ok();
  const auto voters = Voters(membership);
  size_t started = 1;  // the learner itself
  for (const MemberRecord* member : voters) {
    started += IsStarted(*member) ? 1 : 0;
  }
  const size_t quorum = Quorum(voters.size() + 1);
  if (started < quorum) return errors::NotEnoughStarted();
  // Beyond etcd's: one that has gone silent since would be counted on.
  const size_t active =
      ConnectedVoters(membership) + (world_.transport->Active(id) ? 1 : 0);
  return active < quorum ? errors::LearnerNotReady() : Status::Ok();
}

// Until this reign ends. One that has not started, or is silent, stays what it
// is; so does one that a change before it leaves no room for.
void NodeImpl::PromoteLearners(Term term) {
  if (ReignTerm() != term) return;
  const Membership membership = cluster_.membership();
  for (const auto& entry : membership.members) {
    const MemberId id = entry.first;
    if (!entry.second.is_learner || !IsStarted(entry.second) ||
        !world_.transport->Active(id)) {
      continue;
    }
    PromoteAsLeader(id, [this, id](const StatusOr<Membership>& promoted) {
      if (!promoted.ok()) return;
      world_.logger->Info("promoted a learner",
                          {{"member-id", HexId(id.value())}});
    });
  }
  Later(options_.election_timeout, [this, term] { PromoteLearners(term); });
}

void NodeImpl::PromoteMember(MemberId id, MembersReply reply) {
  if (const Status status = CheckTransport(); !status.ok()) {
    return reply(status);
  }
  const MemberId leader = replicator_->GetStatus().leader;
  if (leader == MemberId()) return reply(errors::NoLeader());
  if (leader == member_id_) {
    world_.loop->Post(
        [this, id, reply = std::move(reply)] { PromoteAsLeader(id, reply); });
    return;
  }
  if (world_.leader_client == nullptr) return reply(errors::NotLeader());
  world_.leader_client->PromoteMember(leader, id, std::move(reply));
}

void NodeImpl::PromoteAsLeader(MemberId id, const MembersReply& reply) {
  const Status ready = CheckReadyToPromote(id, cluster_.membership());
  if (!ready.ok()) return reply(ready);
  ProposeConfChange({.type = raft::ConfChangeType::kAddNode,
                     .node = id,
                     .context = EncodePromotion(id)},
                    [this, reply](const Status& done) {
                      if (!done.ok()) return reply(done);
                      reply(cluster_.membership());
                    });
}

void NodeImpl::MoveLeader(MemberId to,
                          std::function<void(const Status&)> done) {
  if (const Status status = CheckTransport(); !status.ok()) {
    return done(errors::BadLeaderTransferee());
  }
  if (replicator_->GetStatus().leader != member_id_) {
    return done(errors::NotLeader());
  }
  const auto member = cluster_.Find(to);
  if (!member || member->is_learner) {
    return done(errors::BadLeaderTransferee());
  }
  raft()->MoveLeader(to, std::move(done));
}

// --- what the log says of members ---

Status NodeImpl::CheckConfChange(const raft::Entry& entry) {
  ASSIGN_OR_RETURN(const Command command, DecodeCommand(entry));
  return cluster_.Check(std::get<raft::ConfChange>(command));
}

void NodeImpl::ApplyConfChange(const raft::Entry& entry,
                               const Status& admitted) {
  const StatusOr<Command> command = DecodeCommand(entry);
  if (!command.ok()) return Fail(command.status());
  const auto& change = std::get<raft::ConfChange>(*command);
  const bool stored = entry.index <= store_->applied();
  if (admitted.ok()) {
    const Status applied =
        cluster_.Apply(*command, stored ? nullptr : store_.get());
    if (!applied.ok()) return Fail(applied);
  }
  if (!stored) store_->EndEntry(entry.index, entry.term);
  applied_ = entry.index;
  applied_term_ = entry.term;
  if (snapshotter_ != nullptr) snapshotter_->Applied(entry.index, entry.term);
  if (admitted.ok()) SetPeer(change);
  raft()->Reply(change.id, admitted.ok() ? StatusOr<ApplyResult>(ApplyResult())
                                         : StatusOr<ApplyResult>(admitted));
}

void NodeImpl::SetPeer(const raft::ConfChange& change) {
  world_.logger->Info("the cluster's members have changed",
                      {{"member-id", HexId(change.node.value())},
                       {"kind", static_cast<uint64_t>(change.type)}});
  const auto member = cluster_.Find(change.node);
  if (change.node == member_id_) {
    if (!member) Removed();
  } else if (member) {
    world_.transport->SetPeer(member->id, member->peer_urls);
  } else {
    // What tells it that it is removed has its time.
    const MemberId gone = change.node;
    Later(options_.election_timeout,
          [this, gone] { world_.transport->RemovePeer(gone); });
  }
}

// One that was a leader may still have to commit that it is gone.
void NodeImpl::Removed() {
  if (std::exchange(removed_, true)) return;
  world_.logger->Warn("this member has been removed from the cluster");
  Later(2 * options_.election_timeout, [this] {
    Fail(FailedPreconditionError(
        "the member has been permanently removed from the cluster"));
  });
}

void NodeImpl::SetPeers(const Membership& membership) {
  for (const auto& [id, member] : membership.members) {
    if (id != member_id_) world_.transport->SetPeer(id, member.peer_urls);
  }
  for (const MemberId id : membership.removed) {
    world_.transport->RemovePeer(id);
  }
}

// Joint configurations are never of our making, and the state does not say
// which voters are of which half.
Status NodeImpl::CheckMembers() const {
  if (raft() == nullptr || raft()->members().joint()) return Status::Ok();
  const auto given = raft::Configuration::From(cluster_.conf_state());
  if (raft()->members() == given) return Status::Ok();
  return InternalError("raft counts " + raft::ToString(raft()->members()) +
                       ", the applied entries give " + raft::ToString(given));
}

}  // namespace strata
