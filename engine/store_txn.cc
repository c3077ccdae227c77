#include <mutex>
#include <shared_mutex>

#include "engine/compare.h"
#include "engine/errors.h"
#include "engine/store_impl.h"

// A transaction in three steps, as etcd takes them: which branch each (nested)
// transaction goes is decided by the state before it; then all that could fail
// is checked; then the operations run, seeing each other's changes.
//
// The branches are a list of bools in the order in which the transactions are
// met on the way; `at` walks it.
namespace strata {

namespace {

const std::vector<Op>& Branch(const TxnRequest& txn, bool succeeded) {
  return succeeded ? txn.success : txn.failure;
}

bool ReadOnly(const std::vector<Op>& ops) {
  for (const Op& op : ops) {
    if (const auto* txn = std::get_if<std::unique_ptr<TxnRequest>>(&op)) {
      if (!ReadOnly((*txn)->success) || !ReadOnly((*txn)->failure)) {
        return false;
      }
    } else if (!std::holds_alternative<RangeRequest>(op)) {
      return false;
    }
  }
  return true;
}

}  // namespace

StatusOr<TxnResult> StoreImpl::Txn(const TxnRequest& request) {
  std::vector<bool> path;
  RETURN_IF_ERROR(ChoosePath(request, &path));
  // etcd's order: what is wrong with any put comes before any range.
  size_t at = 0;
  RETURN_IF_ERROR(CheckTxn(request, path, &at, &StoreImpl::CheckPut));
  at = 0;
  RETURN_IF_ERROR(CheckTxn(request, path, &at, &StoreImpl::CheckRange));
  if (!ReadOnly(request.success) || !ReadOnly(request.failure)) OpenEntry();
  at = 0;
  StatusOr<TxnResult> result = DoTxn(request, path, &at);
  const Revision now = EndChanges();
  if (result.ok()) {
    result->revision = now;
    if (result->responses.size() > 1) Bump(&counters_.txns);
  }
  return result;
}

StatusOr<bool> StoreImpl::Holds(const Compare& compare) const {
  ASSIGN_OR_RETURN(const RangeResult found,
                   RangeAsOf({.range = compare.range}, revision()));
  if (found.kvs.empty()) {
    if (compare.target == CompareTarget::kValue) return false;
    return HoldsFor(compare, KeyValue());
  }
  for (const std::string_view bytes : found.kvs) {
    ASSIGN_OR_RETURN(const KeyValue kv, DecodeKeyValue(bytes));
    if (!HoldsFor(compare, kv)) return false;
  }
  return true;
}

Status StoreImpl::ChoosePath(const TxnRequest& txn,
                             std::vector<bool>* path) const {
  bool succeeded = true;
  for (const Compare& compare : txn.compare) {
    ASSIGN_OR_RETURN(succeeded, Holds(compare));
    if (!succeeded) break;
  }
  path->push_back(succeeded);
  for (const Op& op : Branch(txn, succeeded)) {
    if (const auto* nested = std::get_if<std::unique_ptr<TxnRequest>>(&op)) {
      RETURN_IF_ERROR(ChoosePath(**nested, path));
    }
  }
  return Status::Ok();
}

Status StoreImpl::CheckTxn(const TxnRequest& txn, const std::vector<bool>& path,
                           size_t* at, OpCheck check) const {
  for (const Op& op : Branch(txn, path[(*at)++])) {
    if (const auto* nested = std::get_if<std::unique_ptr<TxnRequest>>(&op)) {
      RETURN_IF_ERROR(CheckTxn(**nested, path, at, check));
    } else {
      RETURN_IF_ERROR((this->*check)(op));
    }
  }
  return Status::Ok();
}

// Unlike a range by itself, one in a transaction is refused for a negative
// revision below the compacted one (-1 if there was none).
Status StoreImpl::CheckRange(const Op& op) const {
  const auto* range = std::get_if<RangeRequest>(&op);
  if (range == nullptr || range->revision == Revision(0)) return Status::Ok();
  if (range->revision > revision()) return errors::FutureRevision();
  if (range->revision < compact_revision()) return errors::Compacted();
  return Status::Ok();
}

Status StoreImpl::CheckPut(const Op& op) const {
  const auto* put = std::get_if<PutRequest>(&op);
  if (put == nullptr) return Status::Ok();
  if (put->ignore_value || put->ignore_lease) {
    std::shared_lock<RwLock> lock(mutex_);
    if (!index_.Get(put->key, revision()).has_value()) {
      return errors::KeyNotFound();
    }
  }
  return CheckLease(put->lease);
}

StatusOr<TxnResult> StoreImpl::DoTxn(const TxnRequest& txn,
                                     const std::vector<bool>& path,
                                     size_t* at) {
  TxnResult result;
  result.succeeded = path[(*at)++];
  const std::vector<Op>& ops = Branch(txn, result.succeeded);
  result.responses.reserve(ops.size());
  for (const Op& op : ops) {
    ASSIGN_OR_RETURN(OpResult response, DoOp(op, path, at));
    result.responses.push_back(std::move(response));
  }
  return result;
}

StatusOr<OpResult> StoreImpl::DoOp(const Op& op, const std::vector<bool>& path,
                                   size_t* at) {
  if (const auto* range = std::get_if<RangeRequest>(&op)) {
    counters_.ranges.fetch_add(1, std::memory_order_relaxed);
    ASSIGN_OR_RETURN(RangeResult result, RangeAsOf(*range, ReadRevision()));
    return OpResult(std::move(result));
  }
  if (const auto* put = std::get_if<PutRequest>(&op)) {
    ASSIGN_OR_RETURN(PutResult result, DoPut(*put));
    return OpResult(std::move(result));
  }
  if (const auto* erase = std::get_if<DeleteRangeRequest>(&op)) {
    ASSIGN_OR_RETURN(DeleteRangeResult result, DoDeleteRange(*erase));
    return OpResult(std::move(result));
  }
  const auto& nested = std::get<std::unique_ptr<TxnRequest>>(op);
  ASSIGN_OR_RETURN(TxnResult result, DoTxn(*nested, path, at));
  return OpResult(std::make_unique<TxnResult>(std::move(result)));
}

}  // namespace strata
