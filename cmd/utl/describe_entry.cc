#include <google/protobuf/message.h>

#include <variant>

#include "base/bytes.h"
#include "cmd/utl/describe.h"
#include "server/command.h"

namespace strata::utl {
namespace {

using etcdserverpb::InternalRaftRequest;

constexpr size_t kShown = 64;

std::string Quoted(std::string_view bytes) {
  return '"' + Printable(bytes, kShown) + '"';
}

std::string Count(int count, const std::string& what) {
  return std::to_string(count) + " " + what;
}

// " "a" to "b""; etcd's "\0" is no end.
std::string RangeText(const std::string& key, const std::string& end) {
  if (end.empty()) return Quoted(key);
  if (end == std::string(1, '\0')) return "from " + Quoted(key);
  return Quoted(key) + " to " + Quoted(end);
}

std::string PutText(const etcdserverpb::PutRequest& put) {
  std::string text = "put " + Quoted(put.key()) + ", value of " +
                     std::to_string(put.value().size()) + " bytes";
  if (put.lease() != 0) {
    text += ", lease " + HexId(static_cast<uint64_t>(put.lease()));
  }
  return text;
}

std::string TxnText(const etcdserverpb::TxnRequest& txn) {
  return "txn of " + Count(txn.compare_size(), "compares, ") +
         Count(txn.success_size(), "operations if they hold, ") +
         Count(txn.failure_size(), "if not");
}

std::string V2Text(const etcdserverpb::Request& request) {
  return "v2 " + request.method() + " " + Printable(request.path(), kShown) +
         " " + Printable(request.val(), 2 * kShown);
}

// Any other request by its fields' names.
std::string FieldsText(const InternalRaftRequest& request) {
  InternalRaftRequest rest = request;
  rest.clear_header();
  rest.clear_id();
  const std::string text = Printable(rest.ShortDebugString(), 4 * kShown);
  return text.empty() ? "a request that is not known" : text;
}

std::string RequestText(const InternalRaftRequest& request) {
  if (request.has_put()) return PutText(request.put());
  if (request.has_txn()) return TxnText(request.txn());
  if (request.has_v2()) return V2Text(request.v2());
  if (request.has_delete_range()) {
    return "delete " + RangeText(request.delete_range().key(),
                                 request.delete_range().range_end());
  }
  if (request.has_range()) {
    return "range " +
           RangeText(request.range().key(), request.range().range_end());
  }
  if (request.has_compaction()) {
    return "compact at " + std::to_string(request.compaction().revision());
  }
  return FieldsText(request);
}

std::string ConfChangeText(const raft::ConfChange& change) {
  std::string text;
  switch (change.type) {
    case raft::ConfChangeType::kAddNode:
      text = "add member ";
      break;
    case raft::ConfChangeType::kRemoveNode:
      text = "remove member ";
      break;
    case raft::ConfChangeType::kUpdateNode:
      text = "update member ";
      break;
    case raft::ConfChangeType::kAddLearnerNode:
      text = "add learner ";
      break;
  }
  text += HexId(change.node.value());
  if (!change.context.empty()) text += " " + Printable(change.context, 256);
  return text;
}

}  // namespace

std::string EntryTypeName(raft::EntryType type) {
  switch (type) {
    case raft::EntryType::kNormal:
      return "normal";
    case raft::EntryType::kConfChange:
      return "conf change";
    case raft::EntryType::kConfChangeV2:
      return "conf change v2";
  }
  return std::to_string(static_cast<uint64_t>(type));
}

std::string DescribeEntry(const raft::Entry& entry) {
  const StatusOr<Command> command = DecodeCommand(entry);
  if (!command.ok()) return command.status().message();
  if (const auto* change = std::get_if<raft::ConfChange>(&*command)) {
    return ConfChangeText(*change);
  }
  if (const auto* request = std::get_if<InternalRaftRequest>(&*command)) {
    return RequestText(*request);
  }
  return "the empty entry of a new leader";
}

}  // namespace strata::utl
