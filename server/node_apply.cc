#include <utility>
#include <variant>

#include "base/bytes.h"
#include "server/command.h"
#include "server/describe_request.h"
#include "server/node_impl.h"
#include "server/opening.h"

// What the log says.
namespace strata {
namespace {

constexpr Duration kPublishRetry = std::chrono::milliseconds(500);

std::vector<SlowLog::Step> StepsOf(const Proposal& proposal, Time applying,
                                   Time applied) {
  if (proposal.logged == Time()) {  // by a quorum
    return {{"agreed on", applying - proposal.proposed},
            {"applied", applied - applying}};
  }
  return {
      {"waited for the batch before", proposal.batch_began - proposal.proposed},
      {"written to the log and synced", proposal.logged - proposal.batch_began},
      {"waited for the rest of its batch", applying - proposal.logged},
      {"applied", applied - applying}};
}

}  // namespace

void NodeImpl::Apply(std::span<const CommittedEntry> entries) {
  apply_began_ = world_.loop->Now();
  for (const CommittedEntry& entry : entries) ApplyOne(entry);
  watch_hub_->Published();
  if (snapshotter_ != nullptr && applier_->damage().ok()) {
    snapshotter_->Applied(entries.back().index, entries.back().term);
  }
}

void NodeImpl::ApplyOne(const CommittedEntry& entry) {
  if (!applier_->damage().ok()) {
    if (entry.proposal != nullptr) entry.proposal->reply(applier_->damage());
    return;
  }
  if (entry.proposal != nullptr) {
    StatusOr<ApplyResult> result =
        applier_->Apply(*entry.proposal->request, entry.index, entry.term);
    if (!applier_->damage().ok()) Fail(applier_->damage());
    apply_began_ = TellIfSlow(entry, apply_began_, result.status());
    entry.proposal->reply(std::move(result));
  } else {
    ApplyLogged(*entry.entry);
  }
  applied_ = entry.index;
  applied_term_ = entry.term;
  if (leading_in_ != Term() && leading_in_ == entry.term) BeginReign();
}

Time NodeImpl::TellIfSlow(const CommittedEntry& entry, Time began,
                          const Status& status) {
  const Time now = world_.loop->Now();
  const Proposal& proposal = *entry.proposal;
  const auto describe = [&] { return DescribeRequest(*proposal.request); };
  if (slow_log_.IsSlow(now - began)) {
    slow_log_.ApplyTook(now - began, "", status, describe);
  }
  if (slow_log_.IsSlow(now - proposal.proposed)) {
    slow_log_.RequestTook(now - proposal.proposed,
                          StepsOf(proposal, began, now), describe);
  }
  return now;
}

// An entry of another member, or of an earlier life. What the backend has is
// not made once more.
void NodeImpl::ApplyLogged(const raft::Entry& entry) {
  Command command;
  Status status = DecodeCommand(entry, &command);
  if (status.ok()) status = CheckCommand(command, entry.index);
  if (!status.ok()) return Fail(status);
  if (entry.index <= store_->applied() &&
      !options_.bugs.replay_applied_entries) {
    // Who is in the cluster is known from the log alone.
    if (status = cluster_.Apply(command, /*store=*/nullptr); !status.ok()) {
      Fail(status);
    }
    return;
  }
  const auto* request =
      std::get_if<etcdserverpb::InternalRaftRequest>(&command);
  if (request == nullptr) return store_->EndEntry(entry.index, entry.term);
  const Time began = world_.loop->Now();
  StatusOr<ApplyResult> result =
      applier_->Apply(*request, entry.index, entry.term);
  if (!applier_->damage().ok()) return Fail(applier_->damage());
  if (const Duration took = world_.loop->Now() - began;
      slow_log_.IsSlow(took)) {
    slow_log_.ApplyTook(took, "", result.status(),
                        [&] { return DescribeRequest(*request); });
  }
  raft()->Reply(request->has_v2() ? request->v2().id() : request->header().id(),
                std::move(result));
}

void NodeImpl::Fail(const Status& status) {
  world_.logger->Error("cannot go on", {{"error", status}});
  world_.on_fatal(status);
}

// --- leadership ---

void NodeImpl::LeaderChanged(const raft::SoftState& now) {
  if (now.leader != MemberId() && now.leader != last_leader_) {
    last_leader_ = now.leader;
    Bump(&counters_.leader_changes);
  }
  const bool leads = now.role == raft::RoleName::kLeader;
  const Term term = leads ? now.term : Term();
  if (leading_in_ == term) return;
  EndReign();
  leading_in_ = term;
}

// Not before the first entry of the own term is applied: then everything that
// the leaders before have done to leases, revocations among it, is known.
void NodeImpl::BeginReign() {
  if (reign_.load() == leading_in_.value()) return;
  reign_.store(leading_in_.value());
  if (!std::exchange(was_alone_, false)) {
    lessor_.Promote(store_->leases().List(), options_.election_timeout);
  }
  LookAtVersions();
  if (options_.auto_promote_learners) PromoteLearners(ReignTerm());
}

void NodeImpl::EndReign() {
  if (reign_.exchange(0) == 0) return;
  if (!options_.bugs.expire_as_follower) lessor_.Demote();
}

// --- what a member says of itself ---

void NodeImpl::PublishLater() {
  Later(kPublishRetry, [this] { Publish(); });
}

// Until the cluster knows this member's name and URLs.
void NodeImpl::Publish() {
  const std::optional<MemberRecord> self = cluster_.Find(member_id_);
  if (self && self->name == options_.name &&
      self->client_urls == options_.advertise_client_urls) {
    return;
  }
  if (!self || replicator_->GetStatus().leader == MemberId()) {
    return PublishLater();
  }
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>(
      SelfAttributesRequest(level_, member_id_, options_));
  ProposeOwn(request, [this](const Status&) { PublishLater(); });
}

}  // namespace strata
