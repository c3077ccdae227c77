#include <utility>

#include "engine/errors.h"
#include "server/errors.h"
#include "server/node_impl.h"
#include "server/quota.h"

// What clients ask, and what the node asks itself.
namespace strata {

void NodeImpl::Propose(etcdserverpb::InternalRaftRequest* request,
                       std::function<void(StatusOr<ApplyResult>)> reply) {
  ProposeIn(Term(), request, std::move(reply));
}

void NodeImpl::ProposeIn(Term only_in,
                         etcdserverpb::InternalRaftRequest* request,
                         std::function<void(StatusOr<ApplyResult>)> reply) {
  const uint64_t id = ids_.Next();
  if (request->has_v2()) {
    request->mutable_v2()->set_id(id);
  } else {
    request->mutable_header()->set_id(id);
  }
  auto proposal = std::make_unique<Proposal>();
  proposal->request = request;
  proposal->bytes = request->ByteSizeLong();
  proposal->only_in = only_in;
  proposal->proposed = world_.loop->Now();
  proposal->reply = std::move(reply);
  const uint64_t tail_bytes = store_->tail_bytes();
  if (proposal->bytes > options_.max_request_bytes) {
    proposal->reply(errors::RequestTooLarge());
  } else if (!WithinQuota(*request, tail_bytes)) {
    RaiseNoSpace([reply = std::move(proposal->reply)](const Status&) {
      reply(errors::NoSpace());
    });
  } else if (Status load = CheckLoad(tail_bytes); !load.ok()) {
    proposal->reply(std::move(load));
  } else {
    replicator_->Propose(std::move(proposal));
  }
}

// What is taken on is applied in the end; so it is refused here when that takes
// too long.
Status NodeImpl::CheckLoad(uint64_t tail_bytes) const {
  if (tail_bytes > options_.max_tail_bytes) return errors::TooManyRequests();
  if (raft() == nullptr) return Status::Ok();
  const LogIndex committed = replicator_->GetStatus().committed;
  return committed > store_->applied() + options_.max_applied_gap
             ? errors::TooManyRequests()
             : Status::Ok();
}

void NodeImpl::ProposeOwn(const Request& request,
                          std::function<void(Status)> done, Term only_in) {
  ProposeIn(
      only_in, request.get(),
      [request, done = std::move(done)](const StatusOr<ApplyResult>& result) {
        done(result.status());
      });
}

// By the leader whose clock says so: not by the next one, who may have renewed
// the lease.
void NodeImpl::ProposeRevoke(LeaseId id, std::function<void(Status)> done) {
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
  request->mutable_lease_revoke()->set_id(id.value());
  ProposeOwn(request, std::move(done),
             raft() != nullptr && !options_.bugs.expire_as_follower
                 ? ReignTerm()
                 : Term());
}

// What is left by this leader's clock: not by the next one's.
Lessor::Checkpoint NodeImpl::MakeCheckpointer() {
  if (!options_.lease_checkpoints) return nullptr;
  return
      [this](const Lessor::LeftOf& leases, std::function<void(Status)> done) {
        auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
        for (const auto& [id, left] : leases) {
          auto* const checkpoint =
              request->mutable_lease_checkpoint()->add_checkpoints();
          checkpoint->set_id(id.value());
          checkpoint->set_remaining_ttl(left);
        }
        ProposeOwn(request, std::move(done),
                   raft_ != nullptr ? ReignTerm() : Term());
      };
}

// All members could; the leader does.
void NodeImpl::ProposeCompaction(Revision revision,
                                 std::function<void(Status)> done) {
  if (raft() != nullptr && ReignTerm() == Term()) {
    return done(errors::NotLeader());
  }
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
  request->mutable_compaction()->set_revision(revision.value());
  ProposeOwn(request, std::move(done));
}

int64_t NodeImpl::Quota() const {
  return options_.quota_backend_bytes != 0 ? options_.quota_backend_bytes
                                           : kDefaultQuotaBytes;
}

// The data that are there, not the space that the file takes, count; what was
// not yet flushed too.
bool NodeImpl::WithinQuota(const etcdserverpb::InternalRaftRequest& request,
                           uint64_t tail_bytes) const {
  const int64_t quota = Quota();
  if (quota < 0) return true;
  const uint64_t cost = QuotaCost(request);
  if (cost == 0) return true;
  const BackendSizes sizes = store_->Sizes();
  const uint64_t live = sizes.in_use_bytes - sizes.pending_bytes + tail_bytes;
  return live + cost < static_cast<uint64_t>(quota);
}

void NodeImpl::RaiseCorrupt(MemberId member) {
  if (alarms_.IsRaised({member, etcdserverpb::CORRUPT})) return;
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
  request->mutable_alarm()->set_action(etcdserverpb::AlarmRequest::ACTIVATE);
  request->mutable_alarm()->set_memberid(member.value());
  request->mutable_alarm()->set_alarm(etcdserverpb::CORRUPT);
  ProposeOwn(request, [](const Status&) {});
}

void NodeImpl::RaiseNoSpace(std::function<void(Status)> done) {
  if (alarms_.IsRaised({member_id_, etcdserverpb::NOSPACE})) {
    return done(Status::Ok());
  }
  auto request = std::make_shared<etcdserverpb::InternalRaftRequest>();
  request->mutable_alarm()->set_action(etcdserverpb::AlarmRequest::ACTIVATE);
  request->mutable_alarm()->set_memberid(member_id_.value());
  request->mutable_alarm()->set_alarm(etcdserverpb::NOSPACE);
  world_.logger->Warn("the quota is exceeded: raising the NOSPACE alarm",
                      {{"in-use-bytes", store_->Sizes().in_use_bytes}});
  ProposeOwn(request, std::move(done));
}

// --- leases ---

// The leader answers, once a quorum has confirmed that it still leads: one that
// has been deposed without knowing would promise time that the next leader does
// not give.
void NodeImpl::RenewLease(LeaseId id,
                          std::function<void(StatusOr<int64_t>)> reply) {
  if (raft() == nullptr) return lessor_.Renew(id, std::move(reply));
  const Term term = ReignTerm();
  if (term != Term()) return RenewAsLeader(id, term, std::move(reply));
  const MemberId leader = replicator_->GetStatus().leader;
  if (leader == MemberId()) return reply(errors::NoLeader());
  if (leader == member_id_) return reply(errors::LeaderChanged());
  if (world_.leader_client == nullptr) return reply(errors::NotLeader());
  world_.leader_client->RenewLease(leader, id, std::move(reply));
}

void NodeImpl::RenewAsLeader(LeaseId id, Term term,
                             std::function<void(StatusOr<int64_t>)> reply) {
  if (options_.bugs.renew_unconfirmed) {
    return lessor_.Renew(id, std::move(reply));
  }
  replicator_->ReadIndex(
      [this, id, term, reply = std::move(reply)](const Status& confirmed) {
        if (!confirmed.ok()) return reply(confirmed);
        if (ReignTerm() != term) return reply(errors::LeaderChanged());
        lessor_.Renew(id, reply);
      });
}

StatusOr<Duration> NodeImpl::LeaseTimeLeft(LeaseId id) const {
  if (!lessor_.leading()) return errors::NotLeader();
  const std::optional<Duration> left = lessor_.Remaining(id);
  if (!left.has_value()) return errors::LeaseNotFound();
  return *left;
}

void NodeImpl::AskLeaseTimeLeft(LeaseId id,
                                std::function<void(StatusOr<Duration>)> reply) {
  if (lessor_.leading()) return reply(LeaseTimeLeft(id));
  const MemberId leader = replicator_->GetStatus().leader;
  if (leader == MemberId()) return reply(errors::NoLeader());
  if (leader == member_id_ || world_.leader_client == nullptr) {
    return reply(errors::NotLeader());
  }
  world_.leader_client->LeaseTimeLeft(leader, id, std::move(reply));
}

std::vector<LeaseId> NodeImpl::Leases() const {
  if (lessor_.leading()) return lessor_.List();
  std::vector<LeaseId> ids;
  for (const LeaseRecord& lease : store_->leases().List()) {
    ids.push_back(lease.id);
  }
  return ids;
}

}  // namespace strata
