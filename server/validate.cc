#include "server/validate.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

#include "engine/errors.h"
#include "server/errors.h"

namespace strata {
namespace {

using Ops = google::protobuf::RepeatedPtrField<etcdserverpb::RequestOp>;

Status CheckLimits(const etcdserverpb::TxnRequest& txn, int64_t max_ops,
                   int depth);

Status CheckOp(const etcdserverpb::RequestOp& op, int64_t max_ops, int depth) {
  switch (op.request_case()) {
    case etcdserverpb::RequestOp::kRequestRange:
      return CheckRange(op.request_range());
    case etcdserverpb::RequestOp::kRequestPut:
      return CheckPut(op.request_put());
    case etcdserverpb::RequestOp::kRequestDeleteRange:
      return CheckDeleteRange(op.request_delete_range());
    case etcdserverpb::RequestOp::kRequestTxn:
      return CheckLimits(op.request_txn(), max_ops, depth + 1);
    case etcdserverpb::RequestOp::REQUEST_NOT_SET:
      break;
  }
  return errors::KeyNotFound();
}

Status CheckLimits(const etcdserverpb::TxnRequest& txn, int64_t max_ops,
                   int depth) {
  const int64_t ops =
      std::max({txn.compare_size(), txn.success_size(), txn.failure_size()});
  if (ops > max_ops || depth > kMaxTxnDepth) return errors::TooManyOps();
  for (const etcdserverpb::Compare& compare : txn.compare()) {
    if (compare.key().empty()) return errors::EmptyKey();
  }
  for (const Ops* branch : {&txn.success(), &txn.failure()}) {
    for (const etcdserverpb::RequestOp& op : *branch) {
      RETURN_IF_ERROR(CheckOp(op, max_ops - ops, depth));
    }
  }
  return Status::Ok();
}

// A set of keys, as half-open intervals that do not touch each other's inside.
class KeySet {
 public:
  void Add(std::string_view begin, std::string_view end) {
    if (begin >= end) return;  // etcd's blind spot, and ranges of nothing
    auto at = intervals_.upper_bound(begin);
    if (at != intervals_.begin() && std::prev(at)->second >= begin) --at;
    while (at != intervals_.end() && at->first <= end) {
      begin = std::min(begin, at->first);
      end = std::max(end, at->second);
      at = intervals_.erase(at);
    }
    intervals_.emplace(begin, end);
  }
  void AddKey(std::string_view key) {
    if (!Contains(key)) keys_.insert(key);
  }
  void Add(const KeySet& other) {
    for (const auto& [begin, end] : other.intervals_) Add(begin, end);
    keys_.insert(other.keys_.begin(), other.keys_.end());
  }

  bool Contains(std::string_view key) const {
    if (keys_.contains(key)) return true;
    auto after = intervals_.upper_bound(key);
    return after != intervals_.begin() && key < std::prev(after)->second;
  }

 private:
  std::map<std::string_view, std::string_view> intervals_;
  std::set<std::string_view> keys_;
};

using Keys = std::set<std::string_view>;

// What one branch of a transaction, with all nested in it, puts and deletes.
struct Changes {
  Keys puts;
  KeySet deletes;
};

Status CollectOverlaps(const Ops& ops, Changes* changes);

void CollectDeletes(const Ops& ops, Changes* changes) {
  for (const etcdserverpb::RequestOp& op : ops) {
    if (!op.has_request_delete_range()) continue;
    const auto& request = op.request_delete_range();
    if (request.range_end().empty()) {
      changes->deletes.AddKey(request.key());
    } else {
      changes->deletes.Add(request.key(), request.range_end());
    }
  }
}

// `apart`: keys that may be put here although they are among changes->puts.
Status AddPuts(const Keys& puts, const Keys& apart, Changes* changes) {
  for (std::string_view key : puts) {
    if (changes->puts.contains(key) && !apart.contains(key)) {
      return errors::DuplicateKey();
    }
    if (changes->deletes.Contains(key)) return errors::DuplicateKey();
  }
  changes->puts.insert(puts.begin(), puts.end());
  return Status::Ok();
}

Status CollectNested(const etcdserverpb::TxnRequest& txn, Changes* changes) {
  Changes success, failure;
  RETURN_IF_ERROR(CollectOverlaps(txn.success(), &success));
  RETURN_IF_ERROR(CollectOverlaps(txn.failure(), &failure));
  RETURN_IF_ERROR(AddPuts(success.puts, {}, changes));
  RETURN_IF_ERROR(AddPuts(failure.puts, success.puts, changes));
  changes->deletes.Add(success.deletes);
  changes->deletes.Add(failure.deletes);
  return Status::Ok();
}

// In etcd's order, which decides what is found: the deletes of this level, then
// each nested transaction against what came before, then the puts.
Status CollectOverlaps(const Ops& ops, Changes* changes) {
  CollectDeletes(ops, changes);
  for (const etcdserverpb::RequestOp& op : ops) {
    if (!op.has_request_txn()) continue;
    RETURN_IF_ERROR(CollectNested(op.request_txn(), changes));
  }
  for (const etcdserverpb::RequestOp& op : ops) {
    if (!op.has_request_put()) continue;
    RETURN_IF_ERROR(AddPuts({op.request_put().key()}, {}, changes));
  }
  return Status::Ok();
}

}  // namespace

Status CheckRange(const etcdserverpb::RangeRequest& request) {
  if (request.key().empty()) return errors::EmptyKey();
  if (!etcdserverpb::RangeRequest::SortOrder_IsValid(request.sort_order()) ||
      !etcdserverpb::RangeRequest::SortTarget_IsValid(request.sort_target())) {
    return errors::InvalidSortOption();
  }
  return Status::Ok();
}

Status CheckPut(const etcdserverpb::PutRequest& request) {
  if (request.key().empty()) return errors::EmptyKey();
  if (request.ignore_value() && !request.value().empty()) {
    return errors::ValueProvided();
  }
  if (request.ignore_lease() && request.lease() != 0) {
    return errors::LeaseProvided();
  }
  return Status::Ok();
}

Status CheckDeleteRange(const etcdserverpb::DeleteRangeRequest& request) {
  return request.key().empty() ? errors::EmptyKey() : Status::Ok();
}

Status CheckTxn(const etcdserverpb::TxnRequest& request, int64_t max_ops) {
  RETURN_IF_ERROR(CheckLimits(request, max_ops, /*depth=*/0));
  for (const Ops* branch : {&request.success(), &request.failure()}) {
    Changes changes;
    RETURN_IF_ERROR(CollectOverlaps(*branch, &changes));
  }
  return Status::Ok();
}

}  // namespace strata
