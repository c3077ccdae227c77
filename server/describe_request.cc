#include "server/describe_request.h"

#include <string_view>

#include "base/bytes.h"

namespace strata {
namespace {

constexpr size_t kMaxBytes = 1024;
constexpr int kMaxOps = 8;

std::string Quoted(std::string_view name, std::string_view bytes) {
  return std::string(name) + ":\"" + Printable(bytes) + "\" ";
}

std::string Describe(const etcdserverpb::PutRequest& put) {
  return "put:<" + Quoted("key", put.key()) +
         "value_size:" + std::to_string(put.value().size()) + " >";
}

std::string Describe(const etcdserverpb::DeleteRangeRequest& erase) {
  std::string text = "delete_range:<" + Quoted("key", erase.key());
  if (!erase.range_end().empty()) {
    text += Quoted("range_end", erase.range_end());
  }
  return text + ">";
}

template <typename Ops>
std::string DescribeOps(std::string_view name, const Ops& ops) {
  std::string text = std::string(name) + ":<";
  int described = 0;
  for (const etcdserverpb::RequestOp& op : ops) {
    if (++described > kMaxOps) {
      return text + std::to_string(ops.size() - kMaxOps) + " more >";
    }
    if (op.has_request_put()) {
      text += Describe(op.request_put());
    } else if (op.has_request_delete_range()) {
      text += Describe(op.request_delete_range());
    } else if (op.has_request_range()) {
      text += "range:<" + DescribeRange(op.request_range()) + ">";
    } else {
      text += "txn";
    }
    text += " ";
  }
  return text + ">";
}

std::string Describe(const etcdserverpb::TxnRequest& txn) {
  return "txn:<compares:" + std::to_string(txn.compare_size()) + " " +
         DescribeOps("success", txn.success()) + " " +
         DescribeOps("failure", txn.failure()) + " >";
}

}  // namespace

std::string DescribeRange(const etcdserverpb::RangeRequest& request) {
  std::string text = Quoted("key", request.key());
  if (!request.range_end().empty()) {
    text += Quoted("range_end", request.range_end());
  }
  if (request.limit() != 0) {
    text += "limit:" + std::to_string(request.limit()) + " ";
  }
  if (request.revision() != 0) {
    text += "revision:" + std::to_string(request.revision()) + " ";
  }
  if (request.count_only()) text += "count_only:true ";
  return text;
}

std::string DescribeRequest(const etcdserverpb::InternalRaftRequest& request) {
  std::string text =
      "header:<ID:" + std::to_string(request.header().id()) + " > ";
  if (request.has_put()) {
    text += Describe(request.put());
  } else if (request.has_delete_range()) {
    text += Describe(request.delete_range());
  } else if (request.has_txn()) {
    text += Describe(request.txn());
  } else {
    text += request.ShortDebugString();
  }
  if (text.size() > kMaxBytes) text = text.substr(0, kMaxBytes) + "...";
  return text;
}

}  // namespace strata
