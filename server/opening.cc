#include "server/opening.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "rpc/proto/raft_internal.pb.h"

namespace strata {

etcdserverpb::InternalRaftRequest SelfAttributesRequest(
    const Level& level, MemberId self, const NodeOptions& options) {
  etcdserverpb::InternalRaftRequest request;
  if (level.ProposesV2Requests()) {
    request.mutable_v2()->set_method("PUT");
    request.mutable_v2()->set_path("/0/members/" + HexId(self.value()) +
                                   "/attributes");
    request.mutable_v2()->set_val(
        EncodeAttributesJson(options.name, options.advertise_client_urls));
    return request;
  }
  auto* set = request.mutable_cluster_member_attr_set();
  set->set_member_id(self.value());
  set->mutable_member_attributes()->set_name(options.name);
  for (const std::string& url : options.advertise_client_urls) {
    set->mutable_member_attributes()->add_client_urls(url);
  }
  return request;
}

etcdserverpb::InternalRaftRequest ClusterVersionRequest(
    const Level& level, const std::string& version) {
  etcdserverpb::InternalRaftRequest request;
  if (level.ProposesV2Requests()) {
    request.mutable_v2()->set_method("PUT");
    request.mutable_v2()->set_path("/0/version");
    request.mutable_v2()->set_val(version);
  } else {
    request.mutable_cluster_version_set()->set_ver(version);
  }
  return request;
}

Opening::Opening(const NodeOptions& options, const DataDir& dir,
                 const Membership& membership, IdGenerator* ids)
    : term_(std::max(dir.hard_state.term, dir.last_term) + 1),
      hard_state_{.term = term_, .vote = dir.member, .commit = dir.last_index},
      last_index_(dir.last_index) {
  ++last_index_;
  entries_.push_back({.term = term_, .index = last_index_, .data = ""});
  const auto self = membership.members.find(dir.member);
  CHECK(self != membership.members.end());
  if (self->second.name != options.name ||
      self->second.client_urls != options.advertise_client_urls) {
    Add(SelfAttributesRequest(dir.level, dir.member, options), ids->Next());
  }
  if (membership.cluster_version != dir.level.ClusterVersion()) {
    Add(ClusterVersionRequest(dir.level, dir.level.ClusterVersion()),
        ids->Next());
  }
}

void Opening::Add(etcdserverpb::InternalRaftRequest request, uint64_t id) {
  if (request.has_v2()) {
    request.mutable_v2()->set_id(id);
  } else {
    request.mutable_header()->set_id(id);
  }
  ++last_index_;
  // A v2 request is logged bare, as etcd 3.4 and 3.5 do.
  entries_.push_back({.term = term_,
                      .index = last_index_,
                      .data = request.has_v2()
                                  ? request.v2().SerializeAsString()
                                  : request.SerializeAsString()});
}

Status Opening::WriteTo(Wal* wal) const {
  wal->Append(entries_, hard_state_);
  return wal->Sync();
}

}  // namespace strata
