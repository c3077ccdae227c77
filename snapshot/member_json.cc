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
  const OrderedJson& id = JsonField(json, "id");
  const OrderedJson& learner = JsonField(json, "isLearner");
  const bool good =
      json.is_object() && (id.is_null() || id.is_number_unsigned()) &&
      (learner.is_null() || learner.is_boolean()) &&
      ReadStrings(JsonField(json, "peerURLs"), &member->peer_urls) &&
      ReadStrings(JsonField(json, "clientURLs"), &member->client_urls) &&
      ReadString(JsonField(json, "name"), &member->name);
  if (!good) return DataLossError("the JSON is no member's");
  if (!id.is_null()) member->id = MemberId(id.get<uint64_t>());
  if (!learner.is_null()) member->is_learner = learner.get<bool>();
  return Status::Ok();
}

std::string EncodeMemberJson(const MemberRecord& member) {
  OrderedJson json;
  json["id"] = member.id.value();
  AddRaftAttributes(member, &json);
  AddAttributes(member, &json);
  return DumpLikeGo(json);
}

StatusOr<MemberRecord> DecodeMemberJson(std::string_view json) {
  MemberRecord member;
  RETURN_IF_ERROR(
      ReadMemberFields(OrderedJson::parse(json, nullptr, false), &member));
  return member;
}

}  // namespace strata
