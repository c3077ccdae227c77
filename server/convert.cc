#include "server/convert.h"

#include <utility>

namespace strata {
namespace {

// The enums have etcd's numbers.
static_assert(static_cast<int>(SortOrder::kDescend) ==
              etcdserverpb::RangeRequest::DESCEND);
static_assert(static_cast<int>(SortTarget::kValue) ==
              etcdserverpb::RangeRequest::VALUE);
static_assert(static_cast<int>(CompareResult::kNotEqual) ==
              etcdserverpb::Compare::NOT_EQUAL);
static_assert(static_cast<int>(CompareTarget::kLease) ==
              etcdserverpb::Compare::LEASE);

Compare ToCompare(const etcdserverpb::Compare& compare) {
  Compare result;
  result.range = {compare.key(), compare.range_end()};
  result.result = static_cast<CompareResult>(compare.result());
  result.target = static_cast<CompareTarget>(compare.target());
  switch (result.target) {
    case CompareTarget::kVersion:
      result.number = compare.version();
      break;
    case CompareTarget::kCreate:
      result.number = compare.create_revision();
      break;
    case CompareTarget::kMod:
      result.number = compare.mod_revision();
      break;
    case CompareTarget::kValue:
      result.value = compare.value();
      break;
    case CompareTarget::kLease:
      result.number = compare.lease();
      break;
  }
  return result;
}

void AppendOps(
    const google::protobuf::RepeatedPtrField<etcdserverpb::RequestOp>& ops,
    std::vector<Op>* out) {
  out->reserve(ops.size());
  for (const etcdserverpb::RequestOp& op : ops) {
    switch (op.request_case()) {
      case etcdserverpb::RequestOp::kRequestRange:
        out->emplace_back(FromProto(op.request_range()));
        break;
      case etcdserverpb::RequestOp::kRequestPut:
        out->emplace_back(FromProto(op.request_put()));
        break;
      case etcdserverpb::RequestOp::kRequestDeleteRange:
        out->emplace_back(FromProto(op.request_delete_range()));
        break;
      case etcdserverpb::RequestOp::kRequestTxn:
        out->emplace_back(
            std::make_unique<TxnRequest>(FromProto(op.request_txn())));
        break;
      case etcdserverpb::RequestOp::REQUEST_NOT_SET:
        break;  // etcd passes over an empty operation
    }
  }
}

void ToProto(const Compare& compare, etcdserverpb::Compare* message) {
  message->set_key(std::string(compare.range.key));
  message->set_range_end(std::string(compare.range.end));
  message->set_result(
      static_cast<etcdserverpb::Compare::CompareResult>(compare.result));
  message->set_target(
      static_cast<etcdserverpb::Compare::CompareTarget>(compare.target));
  switch (compare.target) {
    case CompareTarget::kVersion:
      message->set_version(compare.number);
      break;
    case CompareTarget::kCreate:
      message->set_create_revision(compare.number);
      break;
    case CompareTarget::kMod:
      message->set_mod_revision(compare.number);
      break;
    case CompareTarget::kValue:
      message->set_value(std::string(compare.value));
      break;
    case CompareTarget::kLease:
      message->set_lease(compare.number);
      break;
  }
}

// Where each kind of operation goes in a RequestOp.
struct OpToProto {
  etcdserverpb::RequestOp* op;

  void operator()(const RangeRequest& request) const {
    ToProto(request, op->mutable_request_range());
  }
  void operator()(const PutRequest& request) const {
    ToProto(request, op->mutable_request_put());
  }
  void operator()(const DeleteRangeRequest& request) const {
    ToProto(request, op->mutable_request_delete_range());
  }
  void operator()(const std::unique_ptr<TxnRequest>& request) const {
    ToProto(*request, op->mutable_request_txn());
  }
};

}  // namespace

RangeRequest FromProto(const etcdserverpb::RangeRequest& request) {
  RangeRequest result;
  result.range = {request.key(), request.range_end()};
  result.limit = request.limit();
  result.revision = Revision(request.revision());
  result.sort_order = static_cast<SortOrder>(request.sort_order());
  result.sort_target = static_cast<SortTarget>(request.sort_target());
  result.keys_only = request.keys_only();
  result.count_only = request.count_only();
  result.min_mod_revision = Revision(request.min_mod_revision());
  result.max_mod_revision = Revision(request.max_mod_revision());
  result.min_create_revision = Revision(request.min_create_revision());
  result.max_create_revision = Revision(request.max_create_revision());
  return result;
}

PutRequest FromProto(const etcdserverpb::PutRequest& request) {
  PutRequest result;
  result.key = request.key();
  result.value = request.value();
  result.lease = LeaseId(request.lease());
  result.prev_kv = request.prev_kv();
  result.ignore_value = request.ignore_value();
  result.ignore_lease = request.ignore_lease();
  return result;
}

DeleteRangeRequest FromProto(const etcdserverpb::DeleteRangeRequest& request) {
  DeleteRangeRequest result;
  result.range = {request.key(), request.range_end()};
  result.prev_kv = request.prev_kv();
  return result;
}

TxnRequest FromProto(const etcdserverpb::TxnRequest& request) {
  TxnRequest result;
  result.compare.reserve(request.compare_size());
  for (const etcdserverpb::Compare& compare : request.compare()) {
    result.compare.push_back(ToCompare(compare));
  }
  AppendOps(request.success(), &result.success);
  AppendOps(request.failure(), &result.failure);
  return result;
}

void ToProto(const RangeRequest& request, etcdserverpb::RangeRequest* message) {
  message->set_key(std::string(request.range.key));
  message->set_range_end(std::string(request.range.end));
  message->set_limit(request.limit);
  message->set_revision(request.revision.value());
  message->set_sort_order(
      static_cast<etcdserverpb::RangeRequest::SortOrder>(request.sort_order));
  message->set_sort_target(
      static_cast<etcdserverpb::RangeRequest::SortTarget>(request.sort_target));
  message->set_keys_only(request.keys_only);
  message->set_count_only(request.count_only);
  message->set_min_mod_revision(request.min_mod_revision.value());
  message->set_max_mod_revision(request.max_mod_revision.value());
  message->set_min_create_revision(request.min_create_revision.value());
  message->set_max_create_revision(request.max_create_revision.value());
}

void ToProto(const PutRequest& request, etcdserverpb::PutRequest* message) {
  message->set_key(std::string(request.key));
  message->set_value(std::string(request.value));
  message->set_lease(request.lease.value());
  message->set_prev_kv(request.prev_kv);
  message->set_ignore_value(request.ignore_value);
  message->set_ignore_lease(request.ignore_lease);
}

void ToProto(const DeleteRangeRequest& request,
             etcdserverpb::DeleteRangeRequest* message) {
  message->set_key(std::string(request.range.key));
  message->set_range_end(std::string(request.range.end));
  message->set_prev_kv(request.prev_kv);
}

void ToProto(const TxnRequest& request, etcdserverpb::TxnRequest* message) {
  for (const Compare& compare : request.compare) {
    ToProto(compare, message->add_compare());
  }
  for (const Op& op : request.success) {
    std::visit(OpToProto{message->add_success()}, op);
  }
  for (const Op& op : request.failure) {
    std::visit(OpToProto{message->add_failure()}, op);
  }
}

}  // namespace strata
