#include "server/applier.h"

#include <utility>

#include "server/command.h"
#include "server/convert.h"

namespace strata {
namespace {

template <typename Result>
StatusOr<ApplyResult> AsApplyResult(StatusOr<Result> result) {
  if (!result.ok()) return result.status();
  return ApplyResult(std::move(*result));
}

}  // namespace

StatusOr<ApplyResult> Applier::Apply(
    const etcdserverpb::InternalRaftRequest& request, LogIndex index,
    Term term) {
  StatusOr<ApplyResult> result = Dispatch(request);
  store_->EndEntry(index, term);
  return result;
}

StatusOr<ApplyResult> Applier::Dispatch(
    const etcdserverpb::InternalRaftRequest& request) {
  if (request.has_put()) {
    return AsApplyResult(store_->Put(FromProto(request.put())));
  }
  if (request.has_txn()) {
    return AsApplyResult(store_->Txn(FromProto(request.txn())));
  }
  if (request.has_delete_range()) {
    return AsApplyResult(
        store_->DeleteRange(FromProto(request.delete_range())));
  }
  if (request.has_compaction()) {
    const Revision revision(request.compaction().revision());
    RETURN_IF_ERROR(
        store_->Compact(revision, [this, revision] { compacted_(revision); }));
    return ApplyResult(CompactResult{store_->revision()});
  }
  RETURN_IF_ERROR(cluster_->Apply(request, store_));
  return ApplyResult();
}

Status Applier::Replay(const raft::Entry& entry) {
  ASSIGN_OR_RETURN(const Command command, DecodeCommand(entry));
  if (const auto* request =
          std::get_if<etcdserverpb::InternalRaftRequest>(&command)) {
    // What was refused the first time is refused again; damage is not that.
    const StatusOr<ApplyResult> result = Dispatch(*request);
    if (result.status().code() == Code::kDataLoss) return result.status();
  } else {
    RETURN_IF_ERROR(cluster_->Apply(command, store_));
  }
  store_->EndEntry(entry.index, entry.term);
  return Status::Ok();
}

}  // namespace strata
