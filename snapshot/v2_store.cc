#include <algorithm>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "snapshot/member_json.h"
#include "snapshot/snap_file.h"

// etcd's v2 store, a tree of paths, of which nothing is left but the members
// and the cluster version:
//
//   /0/members/<id>/raftAttributes   {"peerURLs":[...]}
//   /0/members/<id>/attributes       {"name":...,"clientURLs":[...]}
//   /0/removed_members/<id>
//   /0/version                       3.4.0
//   /1                               the keys of v2 users: none
namespace strata {
namespace {

constexpr int kEventCapacity = 1000;  // etcd indexes its ring by it
constexpr int kStoreVersion = 2;

class TreeWriter {
 public:
  // Makes `path` and the directories above it; each node is one change of the
  // store's own clock.
  void AddValue(const std::string& path, const std::string& value) {
    OrderedJson* node = Descend(path);
    (*node)["Value"] = value;
    (*node)["Children"] = nullptr;
    (*node)["CreatedIndex"] = ++clock_;
    (*node)["ModifiedIndex"] = clock_;
  }
  void AddDirectory(const std::string& path) { Descend(path); }

  uint64_t clock() const { return clock_; }
  OrderedJson Take() { return std::move(root_); }

 private:
  OrderedJson NewNode(std::string path) const {
    OrderedJson node;
    node["Path"] = std::move(path);
    node["CreatedIndex"] = clock_;
    node["ModifiedIndex"] = clock_;
    node["ExpireTime"] = "0001-01-01T00:00:00Z";  // never
    node["Value"] = "";
    node["Children"] = OrderedJson::object();
    return node;
  }

  OrderedJson* Descend(const std::string& path) {
    OrderedJson* node = &root_;
    for (size_t begin = 1; begin < path.size();) {
      const size_t end = std::min(path.find('/', begin), path.size());
      OrderedJson& children = (*node)["Children"];
      const std::string name = path.substr(begin, end - begin);
      if (!children.contains(name)) {
        children[name] = NewNode(path.substr(0, end));
      }
      node = &children[name];
      begin = end + 1;
    }
    return node;
  }

  uint64_t clock_ = 0;
  OrderedJson root_ = NewNode("/");
};

void AddMember(const MemberRecord& member, TreeWriter* tree) {
  const std::string path = "/0/members/" + HexId(member.id.value());
  OrderedJson raft_attributes;
  AddRaftAttributes(member, &raft_attributes);
  if (!member.name.empty() || !member.client_urls.empty()) {
    OrderedJson attributes;
    AddAttributes(member, &attributes);
    tree->AddValue(path + "/attributes", DumpLikeGo(attributes));
  }
  tree->AddValue(path + "/raftAttributes", DumpLikeGo(raft_attributes));
}

// What the store remembers of its own past: nothing, a thousand times.
std::string EmptyHistory() {
  std::string json = R"({"EventHistory":{"Queue":{"Events":[null)";
  for (int i = 1; i < kEventCapacity; ++i) json += ",null";
  json += R"(],"Size":0,"Front":0,"Back":0,"Capacity":)";
  json += std::to_string(kEventCapacity);
  json += R"(},"StartIndex":0,"LastIndex":0}})";
  return json;
}

OrderedJson EmptyStats() {
  OrderedJson stats;
  for (const char* name :
       {"getsSuccess", "getsFail", "setsSuccess", "setsFail", "deleteSuccess",
        "deleteFail", "updateSuccess", "updateFail", "createSuccess",
        "createFail", "compareAndSwapSuccess", "compareAndSwapFail",
        "compareAndDeleteSuccess", "compareAndDeleteFail", "expireCount",
        "watchers"}) {
    stats[name] = 0;
  }
  return stats;
}

}  // namespace

std::string EncodeV2Store(const Membership& membership, LogIndex index) {
  TreeWriter tree;
  tree.AddDirectory("/0");
  for (const auto& [id, member] : membership.members) AddMember(member, &tree);
  for (MemberId id : membership.removed) {
    tree.AddValue("/0/removed_members/" + HexId(id.value()), "");
  }
  if (!membership.cluster_version.empty()) {
    tree.AddValue("/0/version", membership.cluster_version);
  }
  tree.AddDirectory("/1");
  const uint64_t index_now = std::max(tree.clock(), index.value());
  return "{\"Root\":" + DumpLikeGo(tree.Take()) +
         ",\"WatcherHub\":" + EmptyHistory() +
         ",\"CurrentIndex\":" + std::to_string(index_now) +
         ",\"Stats\":" + DumpLikeGo(EmptyStats()) +
         ",\"CurrentVersion\":" + std::to_string(kStoreVersion) + "}";
}

namespace {

bool ParseId(std::string_view text, MemberId* id) {
  if (text.empty() || text.size() > 16) return false;
  std::string bytes;
  const std::string padded =
      std::string(16 - text.size(), '0') + std::string(text);
  if (!FromHex(padded, &bytes)) return false;
  *id = MemberId(LoadBig64(bytes.data()));
  return true;
}

Status UnknownKey(std::string_view path) {
  return FailedPreconditionError(
      "the v2 store has the key " + Printable(path) +
      ", which would be lost: strata has no v2 store");
}

// Walks the tree and takes the values it knows.
class TreeReader {
 public:
  Status Walk(const OrderedJson& node, const std::string& path) {
    const OrderedJson* children = FindField(node, "Children");
    if (!node.is_object() || !(children == nullptr || children->is_object())) {
      return DataLossError("the v2 store's node " + Printable(path) +
                           " is damaged");
    }
    if (children == nullptr) return Take(node, path);
    for (const auto& [name, child] : children->items()) {
      RETURN_IF_ERROR(Walk(child, path + "/" + name));
    }
    return Status::Ok();
  }

  Membership Result() { return std::move(membership_); }

 private:
  Status Take(const OrderedJson& node, const std::string& path) {
    constexpr std::string_view kMembers = "/0/members/";
    constexpr std::string_view kRemoved = "/0/removed_members/";
    std::string value;
    if (!ReadString(FindField(node, "Value"), &value)) {
      return DataLossError("the v2 store's node " + Printable(path) +
                           " has no value");
    }
    const std::string_view view = path;
    MemberId id;
    if (view == "/0/version") {
      membership_.cluster_version = value;
      return Status::Ok();
    }
    if (view.starts_with(kRemoved) &&
        ParseId(view.substr(kRemoved.size()), &id)) {
      membership_.removed.push_back(id);
      return Status::Ok();
    }
    if (view.starts_with(kMembers)) {
      return TakeMember(view, view.substr(kMembers.size()), value);
    }
    return UnknownKey(path);
  }

  Status TakeMember(std::string_view path, std::string_view rest,
                    const std::string& value) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view what = rest.substr(slash);
    MemberId id;
    if (!ParseId(rest.substr(0, slash), &id) ||
        (what != "/attributes" && what != "/raftAttributes")) {
      return UnknownKey(path);
    }
    MemberRecord& member = membership_.members[id];
    const OrderedJson json = OrderedJson::parse(value, nullptr, false);
    if (Status status = ReadMemberFields(json, &member); !status.ok()) {
      return status.WithContext(path);
    }
    member.id = id;
    return Status::Ok();
  }

  Membership membership_;
};

}  // namespace

StatusOr<Membership> DecodeV2Store(std::string_view json) {
  // The one array is the history's, of a thousand events.
  const auto keep = [](int, OrderedJson::parse_event_t event, OrderedJson&) {
    return event != OrderedJson::parse_event_t::array_start;
  };
  const OrderedJson store = OrderedJson::parse(json, keep, false);
  const OrderedJson* root = FindField(store, "Root");
  if (root == nullptr) return DataLossError("the bytes are no v2 store");
  TreeReader reader;
  RETURN_IF_ERROR(reader.Walk(*root, ""));
  return reader.Result();
}

}  // namespace strata
