#include "server/cluster.h"

#include <utility>

#include "base/bytes.h"

namespace strata {
namespace {

constexpr std::string_view kClusterVersionKey = "clusterVersion";
constexpr std::string_view kRemovedMark = "removed";  // etcd's value

}  // namespace

Status Cluster::Apply(const Command& command, Store* store) {
  if (const auto* change = std::get_if<raft::ConfChange>(&command)) {
    return ApplyConfChange(*change, store);
  }
  if (const auto* request =
          std::get_if<etcdserverpb::InternalRaftRequest>(&command)) {
    return Apply(*request, store);
  }
  return Status::Ok();
}

Status Cluster::Apply(const etcdserverpb::InternalRaftRequest& request,
                      Store* store) {
  if (request.has_v2()) return ApplyV2(request.v2(), store);
  if (request.has_cluster_version_set()) {
    SetVersion(request.cluster_version_set().ver(), store);
  } else if (request.has_cluster_member_attr_set()) {
    const auto& set = request.cluster_member_attr_set();
    const auto& urls = set.member_attributes().client_urls();
    return SetAttributes(MemberId(set.member_id()),
                         set.member_attributes().name(),
                         {urls.begin(), urls.end()}, store);
  }
  return Status::Ok();
}

Status Cluster::ApplyV2(const etcdserverpb::Request& request, Store* store) {
  ASSIGN_OR_RETURN(const V2Put put, ParseV2Put(request));
  if (put.kind == V2Put::Kind::kClusterVersion) {
    SetVersion(put.value, store);
    return Status::Ok();
  }
  auto attributes = DecodeMemberJson(put.value);
  if (!attributes.ok()) return attributes.status().WithContext(request.path());
  return SetAttributes(put.member, attributes->name,
                       std::move(attributes->client_urls), store);
}

Status Cluster::ApplyConfChange(const raft::ConfChange& change, Store* store) {
  if (change.type == raft::ConfChangeType::kRemoveNode) {
    const std::lock_guard lock(mutex_);
    membership_.members.erase(change.node);
    membership_.removed.push_back(change.node);
    if (store != nullptr) {
      store->EraseRecord(Table::kMembers, HexId(change.node.value()));
      store->PutRecord(Table::kMembersRemoved, HexId(change.node.value()),
                       kRemovedMark);
    }
    return Status::Ok();
  }
  ASSIGN_OR_RETURN(MemberRecord member, DecodeMemberJson(change.context));
  member.id = change.node;
  const std::lock_guard lock(mutex_);
  auto [at, added] = membership_.members.try_emplace(change.node, member);
  if (!added) {  // an update, or a learner promoted: name and clients stay
    at->second.peer_urls = member.peer_urls;
    at->second.is_learner = member.is_learner;
  }
  SaveMember(at->second, store);
  return Status::Ok();
}

Status Cluster::SetAttributes(MemberId id, const std::string& name,
                              std::vector<std::string> client_urls,
                              Store* store) {
  const std::lock_guard lock(mutex_);
  auto at = membership_.members.find(id);
  if (at == membership_.members.end()) return Status::Ok();  // removed since
  at->second.name = name;
  at->second.client_urls = std::move(client_urls);
  SaveMember(at->second, store);
  return Status::Ok();
}

void Cluster::SetVersion(const std::string& version, Store* store) {
  const std::lock_guard lock(mutex_);
  membership_.cluster_version = version;
  if (store != nullptr) {
    store->PutRecord(Table::kCluster, kClusterVersionKey, version);
  }
}

void Cluster::SaveMember(const MemberRecord& member, Store* store) {
  if (store == nullptr) return;
  store->PutRecord(Table::kMembers, HexId(member.id.value()),
                   EncodeMemberJson(member));
}

Membership Cluster::membership() const {
  const std::lock_guard lock(mutex_);
  return membership_;
}

raft::ConfState Cluster::conf_state() const {
  const std::lock_guard lock(mutex_);
  raft::ConfState state;
  for (const auto& [id, member] : membership_.members) {
    (member.is_learner ? state.learners : state.voters).push_back(id);
  }
  return state;
}

}  // namespace strata
