#include "rpc/peer/members_json.h"

#include "snapshot/go_json.h"

namespace strata::peer {
namespace {

constexpr std::string_view kNotDecided = "not_decided";

}  // namespace

std::string EncodeMembersJson(const Membership& membership) {
  std::string json;
  for (const auto& [id, member] : membership.members) {
    json += (json.empty() ? "[" : ",") + EncodeMemberJson(member);
  }
  return (json.empty() ? "[" : json) + "]\n";
}

StatusOr<Membership> DecodeMembersJson(std::string_view json) {
  const OrderedJson list = OrderedJson::parse(json, nullptr, false);
  if (!list.is_array()) return DataLossError("no list of members");
  Membership membership;
  for (const OrderedJson& item : list) {
    ASSIGN_OR_RETURN(MemberRecord member, DecodeMemberJson(item.dump()));
    membership.members[member.id] = std::move(member);
  }
  return membership;
}

std::string EncodeVersionsJson(const Versions& versions) {
  OrderedJson json;
  json["etcdserver"] = versions.server;
  json["etcdcluster"] =
      versions.cluster.empty() ? std::string(kNotDecided) : versions.cluster;
  return DumpLikeGo(json);
}

StatusOr<Versions> DecodeVersionsJson(std::string_view text) {
  const OrderedJson json = OrderedJson::parse(text, nullptr, false);
  Versions versions;
  if (!json.is_object() ||
      !ReadString(FindField(json, "etcdserver"), &versions.server) ||
      !ReadString(FindField(json, "etcdcluster"), &versions.cluster)) {
    return DataLossError("no versions");
  }
  if (versions.cluster == kNotDecided) versions.cluster.clear();
  return versions;
}

}  // namespace strata::peer
