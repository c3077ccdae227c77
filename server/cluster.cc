#include "server/cluster.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "server/errors.h"
#include "snapshot/go_json.h"

namespace strata {
namespace {

constexpr std::string_view kClusterVersionKey = "clusterVersion";
constexpr std::string_view kDowngradeKey = "downgrade";
constexpr std::string_view kRemovedMark = "removed";  // etcd's value

}  // namespace

// {"id":..,"peerURLs":null,"isPromote":true}
std::string EncodePromotion(MemberId id) {
  std::string json = EncodeMemberJson({.id = id});
  json.pop_back();
  return json + ",\"isPromote\":true}";
}

bool IsPromotion(const raft::ConfChange& change) {
  if (change.type != raft::ConfChangeType::kAddNode) return false;
  const OrderedJson json =
      OrderedJson::parse(change.context, nullptr, /*allow_exceptions=*/false);
  const OrderedJson* const mark = FindField(json, "isPromote");
  return mark != nullptr && mark->is_boolean() && mark->get<bool>();
}

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
  } else if (request.has_downgrade_info_set()) {
    SetDowngrade({.enabled = request.downgrade_info_set().enabled(),
                  .target = request.downgrade_info_set().ver()},
                 store);
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

Status Cluster::Check(const raft::ConfChange& change) const {
  const std::lock_guard lock(mutex_);
  return CheckLocked(change);
}

Status Cluster::CheckLocked(const raft::ConfChange& change) const {
  const auto& removed = membership_.removed;
  if (std::find(removed.begin(), removed.end(), change.node) != removed.end()) {
    return errors::MemberNotFound();  // etcd's answer to a removed id
  }
  const bool known = membership_.members.contains(change.node);
  switch (change.type) {
    case raft::ConfChangeType::kAddNode:
    case raft::ConfChangeType::kAddLearnerNode:
      return CheckAdd(change);
    case raft::ConfChangeType::kRemoveNode:
      return known ? Status::Ok() : errors::MemberNotFound();
    case raft::ConfChangeType::kUpdateNode: {
      if (!known) return errors::MemberNotFound();
      ASSIGN_OR_RETURN(MemberRecord member, DecodeMemberJson(change.context));
      member.id = change.node;
      return CheckUrls(member);
    }
  }
  return InvalidArgumentError("a change of members of no known kind");
}

Status Cluster::CheckAdd(const raft::ConfChange& change) const {
  const auto at = membership_.members.find(change.node);
  if (IsPromotion(change)) {
    if (at == membership_.members.end()) return errors::MemberNotFound();
    return at->second.is_learner ? Status::Ok() : errors::NotLearner();
  }
  if (at != membership_.members.end()) return errors::MemberExists();
  ASSIGN_OR_RETURN(MemberRecord member, DecodeMemberJson(change.context));
  member.id = change.node;
  RETURN_IF_ERROR(CheckUrls(member));
  if (change.type != raft::ConfChangeType::kAddLearnerNode) return Status::Ok();
  size_t learners = 0;
  for (const auto& [id, other] : membership_.members) {
    learners += other.is_learner ? 1 : 0;
  }
  return learners < max_learners_ ? Status::Ok() : errors::TooManyLearners();
}

Status Cluster::CheckUrls(const MemberRecord& member) const {
  for (const auto& [id, other] : membership_.members) {
    if (id == member.id) continue;
    for (const std::string& url : member.peer_urls) {
      if (std::find(other.peer_urls.begin(), other.peer_urls.end(), url) !=
          other.peer_urls.end()) {
        return errors::PeerUrlExists();
      }
    }
  }
  return Status::Ok();
}

Status Cluster::ApplyConfChange(const raft::ConfChange& change, Store* store) {
  const std::lock_guard lock(mutex_);
  if (!CheckLocked(change).ok()) return Status::Ok();
  if (change.type == raft::ConfChangeType::kRemoveNode) {
    membership_.members.erase(change.node);
    // In order, so that equal clusters compare equal.
    auto& removed = membership_.removed;
    removed.insert(
        std::upper_bound(removed.begin(), removed.end(), change.node),
        change.node);
    if (store != nullptr) {
      store->EraseRecord(Table::kMembers, HexId(change.node.value()));
      store->PutRecord(Table::kMembersRemoved, HexId(change.node.value()),
                       kRemovedMark);
    }
    return Status::Ok();
  }
  if (IsPromotion(change)) {
    MemberRecord& member = membership_.members[change.node];
    member.is_learner = false;
    SaveMember(member, store);
    return Status::Ok();
  }
  ASSIGN_OR_RETURN(MemberRecord member, DecodeMemberJson(change.context));
  member.id = change.node;
  if (change.type == raft::ConfChangeType::kAddLearnerNode) {
    member.is_learner = true;
  }
  auto [at, added] = membership_.members.try_emplace(change.node, member);
  if (!added) at->second.peer_urls = member.peer_urls;  // an update
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
  if (downgrade_.enabled) ++downgrade_requests_;
  membership_.cluster_version = version;
  if (store != nullptr) {
    store->PutRecord(Table::kCluster, kClusterVersionKey, version);
  }
}

// As etcd: {"target-version":"3.4.0","enabled":true}
void Cluster::SetDowngrade(const Downgrade& downgrade, Store* store) {
  ++downgrade_requests_;
  if (store == nullptr) return;  // Restore has it
  const std::lock_guard lock(mutex_);
  downgrade_ = downgrade;
  if (!downgrade.enabled) downgrade_.target.clear();
  const OrderedJson json = {{"target-version", downgrade_.target},
                            {"enabled", downgrade_.enabled}};
  store->PutRecord(Table::kCluster, kDowngradeKey, json.dump());
}

Status Cluster::Restore(const Store& store) {
  ASSIGN_OR_RETURN(const auto records, store.List(Table::kCluster));
  const std::lock_guard lock(mutex_);
  downgrade_ = {};
  for (const auto& [key, value] : records) {
    if (key != kDowngradeKey) continue;
    const OrderedJson json =
        OrderedJson::parse(value, nullptr, /*allow_exceptions=*/false);
    const OrderedJson* const enabled = FindField(json, "enabled");
    const OrderedJson* const target = FindField(json, "target-version");
    downgrade_.enabled =
        enabled != nullptr && enabled->is_boolean() && enabled->get<bool>();
    if (target != nullptr && target->is_string()) {
      downgrade_.target = target->get<std::string>();
    }
  }
  return Status::Ok();
}

void Cluster::SaveMember(const MemberRecord& member, Store* store) {
  if (store == nullptr) return;
  store->PutRecord(Table::kMembers, HexId(member.id.value()),
                   EncodeMemberJson(member));
}

void Cluster::Replace(Membership membership) {
  const std::lock_guard lock(mutex_);
  membership_ = std::move(membership);
  std::sort(membership_.removed.begin(), membership_.removed.end());
}

std::optional<MemberRecord> Cluster::Find(MemberId id) const {
  const std::lock_guard lock(mutex_);
  const auto at = membership_.members.find(id);
  if (at == membership_.members.end()) return std::nullopt;
  return at->second;
}

bool Cluster::IsLearner(MemberId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = membership_.members.find(id);
  return found != membership_.members.end() && found->second.is_learner;
}

bool Cluster::IsRemoved(MemberId id) const {
  const std::lock_guard lock(mutex_);
  const auto& removed = membership_.removed;
  return std::find(removed.begin(), removed.end(), id) != removed.end();
}

Membership Cluster::membership() const {
  const std::lock_guard lock(mutex_);
  return membership_;
}

Downgrade Cluster::downgrade() const {
  const std::lock_guard lock(mutex_);
  return downgrade_;
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
