#include "server/command.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace strata {
namespace {

constexpr std::string_view kMembersPath = "/0/members/";
constexpr std::string_view kAttributesSuffix = "/attributes";
constexpr std::string_view kVersionPath = "/0/version";

std::string EntryName(LogIndex index) {
  return "log entry " + std::to_string(index.value());
}

// "lease_grant" for an InternalRaftRequest that has that field.
std::string FieldNames(const etcdserverpb::InternalRaftRequest& request) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  request.GetReflection()->ListFields(request, &fields);
  std::string names;
  for (const auto* field : fields) {
    if (field->name() == "header" || field->name() == "ID") continue;
    if (!names.empty()) names += ", ";
    names += field->name();
  }
  return names.empty() ? "of a kind this version does not know" : names;
}

Status CheckRequest(const etcdserverpb::InternalRaftRequest& request,
                    LogIndex index) {
  if (request.has_v2()) {
    return ParseV2Put(request.v2()).status().WithContext(EntryName(index));
  }
  if (request.has_range() || request.has_put() || request.has_delete_range() ||
      request.has_txn() || request.has_compaction() ||
      request.has_lease_grant() || request.has_lease_revoke() ||
      request.has_lease_checkpoint() || request.has_alarm() ||
      request.has_cluster_version_set() || request.has_downgrade_info_set() ||
      request.has_cluster_member_attr_set()) {
    return Status::Ok();
  }
  return UnimplementedError(EntryName(index) + " cannot be applied: it is " +
                            FieldNames(request) +
                            ", which this version of strata does not have yet");
}

}  // namespace

StatusOr<Command> DecodeCommand(const raft::Entry& entry) {
  Command command;
  RETURN_IF_ERROR(DecodeCommand(entry, &command));
  return command;
}

Status DecodeCommand(const raft::Entry& entry, Command* command) {
  if (entry.type == raft::EntryType::kConfChange) {
    auto change = raft::DecodeConfChange(entry.data);
    if (!change.ok()) {
      return change.status().WithContext(EntryName(entry.index));
    }
    *command = std::move(*change);
    return Status::Ok();
  }
  if (entry.type != raft::EntryType::kNormal) {
    return UnimplementedError(EntryName(entry.index) +
                              " is a joint membership change, which this "
                              "version of strata does not have yet");
  }
  if (entry.data.empty()) {
    *command = std::monostate();
    return Status::Ok();
  }
  using Request = etcdserverpb::InternalRaftRequest;
  Request* request = std::get_if<Request>(command);
  if (request == nullptr) request = &command->emplace<Request>();
  if (request->ParseFromString(entry.data)) return Status::Ok();
  request->Clear();
  if (request->mutable_v2()->ParseFromString(entry.data)) return Status::Ok();
  return DataLossError(EntryName(entry.index) + " of " +
                       std::to_string(entry.data.size()) +
                       " bytes is not a request");
}

Status CheckCommand(const Command& command, LogIndex index) {
  const auto* request =
      std::get_if<etcdserverpb::InternalRaftRequest>(&command);
  return request != nullptr ? CheckRequest(*request, index) : Status::Ok();
}

StatusOr<V2Put> ParseV2Put(const etcdserverpb::Request& request) {
  std::string_view path = request.path();
  if (request.method() == "PUT" && path == kVersionPath) {
    return V2Put{V2Put::Kind::kClusterVersion, MemberId(), request.val()};
  }
  if (request.method() == "PUT" && path.starts_with(kMembersPath) &&
      path.ends_with(kAttributesSuffix)) {
    path.remove_prefix(kMembersPath.size());
    path.remove_suffix(kAttributesSuffix.size());
    uint64_t id = 0;
    auto [end, error] =
        std::from_chars(path.data(), path.data() + path.size(), id, 16);
    if (error == std::errc() && end == path.data() + path.size()) {
      return V2Put{V2Put::Kind::kMemberAttributes, MemberId(id), request.val()};
    }
  }
  return UnimplementedError("a v2 request, " + request.method() + " " +
                            Printable(request.path()) +
                            ", cannot be applied: strata has no v2 API");
}

}  // namespace strata
