#include "snapshot/member_json.h"

namespace strata {

void AddRaftAttributes(const MemberRecord& member, OrderedJson* json) {
  // A Go slice that was never set is null.
  (*json)["peerURLs"] =
      member.peer_urls.empty() ? OrderedJson() : OrderedJson(member.peer_urls);
  if (member.is_learner) (*json)["isLearner"] = true;
}

void AddAttributes(const MemberRecord& member, OrderedJson* json) {
  if (!member.name.empty()) (*json)["name"] = member.name;
  if (!member.client_urls.empty()) (*json)["clientURLs"] = member.client_urls;
}

Status ReadMemberFields(const OrderedJson& json, MemberRecord* member) {
  const OrderedJson* id = FindField(json, "id");
  const OrderedJson* learner = FindField(json, "isLearner");
  const bool good =
      json.is_object() && (id == nullptr || id->is_number_unsigned()) &&
      (learner == nullptr || learner->is_boolean()) &&
      ReadStrings(FindField(json, "peerURLs"), &member->peer_urls) &&
      ReadStrings(FindField(json, "clientURLs"), &member->client_urls) &&
      ReadString(FindField(json, "name"), &member->name);
  if (!good) return DataLossError("the JSON is no member's");
  if (id != nullptr) member->id = MemberId(id->get<uint64_t>());
  if (learner != nullptr) member->is_learner = learner->get<bool>();
  return Status::Ok();
}

std::string EncodeMemberJson(const MemberRecord& member) {
  OrderedJson json;
  json["id"] = member.id.value();
  AddRaftAttributes(member, &json);
  AddAttributes(member, &json);
  return DumpLikeGo(json);
}

std::string EncodeAttributesJson(const std::string& name,
                                 const std::vector<std::string>& client_urls) {
  OrderedJson json = OrderedJson::object();
  AddAttributes({.name = name, .client_urls = client_urls}, &json);
  return DumpLikeGo(json);
}

StatusOr<MemberRecord> DecodeMemberJson(std::string_view json) {
  MemberRecord member;
  RETURN_IF_ERROR(
      ReadMemberFields(OrderedJson::parse(json, nullptr, false), &member));
  return member;
}

}  // namespace strata
