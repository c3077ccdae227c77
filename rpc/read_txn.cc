#include "rpc/read_txn.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "engine/compare.h"
#include "engine/errors.h"
#include "engine/key_value.h"

namespace strata {
namespace {

template <typename Predicate>
bool AllRanges(const etcdserverpb::TxnRequest& txn, Predicate predicate) {
  const auto holds = [&](const etcdserverpb::RequestOp& op) {
    return op.has_request_range() && predicate(op.request_range());
  };
  return std::ranges::all_of(txn.success(), holds) &&
         std::ranges::all_of(txn.failure(), holds);
}

StatusOr<bool> HoldsAt(const Store& store, Revision revision,
                       const Compare& compare) {
  RangeRequest request;
  request.range = compare.range;
  request.revision = revision;
  ASSIGN_OR_RETURN(const RangeResult found, store.Range(request));
  if (found.kvs.empty()) {
    return compare.target != CompareTarget::kValue &&
           HoldsFor(compare, KeyValue());
  }
  for (std::string_view bytes : found.kvs) {
    ASSIGN_OR_RETURN(const KeyValue kv, DecodeKeyValue(bytes));
    if (!HoldsFor(compare, kv)) return false;
  }
  return true;
}

StatusOr<RangeResult> RangeAt(const Store& store, Revision revision,
                              RangeRequest request) {
  if (request.revision > revision) return errors::FutureRevision();
  // Unlike a range by itself, one in a transaction is refused for a negative
  // revision below the compacted one (-1 if there was none).
  if (request.revision != Revision(0) &&
      request.revision < store.compact_revision()) {
    return errors::Compacted();
  }
  if (request.revision <= Revision(0)) request.revision = revision;
  ASSIGN_OR_RETURN(RangeResult result, store.Range(request));
  result.revision = revision;
  return result;
}

StatusOr<TxnResult> ReadTxnAt(const Store& store, Revision revision,
                              const TxnRequest& txn) {
  TxnResult result;
  result.revision = revision;
  result.succeeded = true;
  for (const Compare& compare : txn.compare) {
    ASSIGN_OR_RETURN(result.succeeded, HoldsAt(store, revision, compare));
    if (!result.succeeded) break;
  }
  for (const Op& op : result.succeeded ? txn.success : txn.failure) {
    ASSIGN_OR_RETURN(RangeResult range,
                     RangeAt(store, revision, std::get<RangeRequest>(op)));
    result.responses.emplace_back(std::move(range));
  }
  return result;
}

}  // namespace

bool IsReadOnly(const etcdserverpb::TxnRequest& txn) {
  return AllRanges(txn, [](const auto&) { return true; });
}

bool IsSerializable(const etcdserverpb::TxnRequest& txn) {
  return AllRanges(txn, [](const etcdserverpb::RangeRequest& r) {
    return r.serializable();
  });
}

StatusOr<TxnResult> ReadTxn(const Store& store, const TxnRequest& txn) {
  while (true) {
    const Revision revision = store.revision();
    auto result = ReadTxnAt(store, revision, txn);
    // A compaction that passed the revision meanwhile is not the client's.
    if (result.ok() || store.compact_revision() <= revision) return result;
  }
}

}  // namespace strata
