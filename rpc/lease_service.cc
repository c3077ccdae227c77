#include <chrono>
#include <utility>
#include <variant>

#include "engine/errors.h"
#include "rpc/propose.h"
#include "rpc/services.h"

namespace strata {

void LeaseService::LeaseGrant(etcdserverpb::LeaseGrantRequest* request,
                              Reply reply) {
  if (request->id() == 0) request->set_id(node_->NewLeaseId().value());
  auto* const proposal = NewRaftRequest(request);
  proposal->unsafe_arena_set_allocated_lease_grant(request);
  Propose<LeaseGrantResult>(
      node_, proposal,
      [](const ResponseHeader& header, const LeaseGrantResult& result) {
        etcdserverpb::LeaseGrantResponse response;
        FillHeader(header, response.mutable_header());
        response.set_id(result.id.value());
        response.set_ttl(result.ttl_seconds);
        return response.SerializeAsString();
      },
      std::move(reply));
}

void LeaseService::LeaseRevoke(etcdserverpb::LeaseRevokeRequest* request,
                               Reply reply) {
  auto* const proposal = NewRaftRequest(request);
  proposal->unsafe_arena_set_allocated_lease_revoke(request);
  Propose<std::monostate>(
      node_, proposal,
      [](const ResponseHeader& header, const std::monostate&) {
        return EncodeHeaderResponse(header);
      },
      std::move(reply));
}

namespace {

// A lease that is not there is an answer, not an error.
void AnswerTimeToLive(Node* node, LeaseId id, bool keys,
                      const StatusOr<Duration>& left, const Reply& reply) {
  if (!left.ok() && left.status().code() != Code::kNotFound) {
    return reply(left.status());
  }
  const std::optional<LeaseRecord> lease = node->store()->leases().Find(id);
  etcdserverpb::LeaseTimeToLiveResponse response;
  FillHeader(CurrentHeader(node), response.mutable_header());
  response.set_id(id.value());
  if (!left.ok() || !lease.has_value()) {
    response.set_ttl(-1);
    return reply(response.SerializeAsString());
  }
  response.set_ttl(
      std::chrono::duration_cast<std::chrono::seconds>(*left).count());
  response.set_grantedttl(lease->ttl_seconds);
  if (keys) {
    for (std::string& key : node->store()->leases().Keys(id)) {
      response.add_keys(std::move(key));
    }
  }
  reply(response.SerializeAsString());
}

}  // namespace

void LeaseService::LeaseTimeToLive(
    etcdserverpb::LeaseTimeToLiveRequest* request, Reply reply) {
  const LeaseId id(request->id());
  node_->AskLeaseTimeLeft(
      id, [node = node_, id, keys = request->keys(),
           reply = std::move(reply)](const StatusOr<Duration>& left) {
        AnswerTimeToLive(node, id, keys, left, reply);
      });
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): it owns it
void LeaseService::LeaseLeases(etcdserverpb::LeaseLeasesRequest*, Reply reply) {
  etcdserverpb::LeaseLeasesResponse response;
  FillHeader(CurrentHeader(node_), response.mutable_header());
  for (const LeaseId id : node_->Leases()) {
    response.add_leases()->set_id(id.value());
  }
  reply(response.SerializeAsString());
}

}  // namespace strata
