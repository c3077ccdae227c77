#include <algorithm>
#include <functional>
#include <utility>
#include <variant>

#include "rpc/encode.h"
#include "rpc/propose.h"
#include "rpc/read_txn.h"
#include "rpc/services.h"
#include "server/convert.h"
#include "server/describe_request.h"
#include "server/errors.h"
#include "server/validate.h"

namespace strata {
namespace {

using etcdserverpb::InternalRaftRequest;

// Whether a range may look at more keys than a thread that serves others should
// wait for: it is not known how many there are.
bool MayBeLong(const etcdserverpb::RangeRequest& range) {
  if (range.range_end().empty() || range.count_only()) return false;
  const bool looks_at_all =
      range.sort_order() != etcdserverpb::RangeRequest::NONE ||
      range.min_mod_revision() != 0 || range.max_mod_revision() != 0 ||
      range.min_create_revision() != 0 || range.max_create_revision() != 0;
  return looks_at_all || range.limit() <= 0 ||
         range.limit() > static_cast<int64_t>(limits::kRangeChunkKeys);
}

bool MayBeLong(const etcdserverpb::TxnRequest& txn) {
  const auto long_range = [](const etcdserverpb::RequestOp& op) {
    return MayBeLong(op.request_range());
  };
  const auto long_compare = [](const etcdserverpb::Compare& compare) {
    return !compare.range_end().empty();
  };
  return std::ranges::any_of(txn.compare(), long_compare) ||
         std::ranges::any_of(txn.success(), long_range) ||
         std::ranges::any_of(txn.failure(), long_range);
}

}  // namespace

ResponseHeader CurrentHeader(Node* node) {
  return {.cluster_id = node->cluster_id(),
          .member_id = node->member_id(),
          .revision = node->store()->revision(),
          .term = node->replication().term};
}

// A handler owns its reply. NOLINTNEXTLINE(performance-unnecessary-value-param)
void KvService::Range(etcdserverpb::RangeRequest* request, Reply reply) {
  if (Status status = CheckRange(*request); !status.ok()) {
    return reply(std::move(status));
  }
  Read(
      request->serializable(), MayBeLong(*request),
      [this, request, reply] { AnswerRange(*request, reply); }, reply);
}

void KvService::Read(bool serializable, bool may_be_long,
                     std::function<void()> read, const Reply& reply) {
  if (may_be_long) {
    read = [worker = worker_, read = std::move(read)] { worker->Post(read); };
  }
  if (serializable) return read();
  if (node_->is_learner()) return reply(errors::NotSupportedForLearner());
  node_->ReadIndex([read = std::move(read), reply](const Status& status) {
    if (!status.ok()) return reply(status);
    read();
  });
}

void KvService::AnswerRange(const etcdserverpb::RangeRequest& request,
                            const Reply& reply) const {
  const Time began = node_->slow_log()->Now();
  StatusOr<RangeResult> result = node_->store()->Range(FromProto(request));
  const Duration took = node_->slow_log()->Now() - began;
  if (node_->slow_log()->IsSlow(took)) {
    node_->slow_log()->ApplyTook(took, "read-only range ", result.status(),
                                 [&] { return DescribeRange(request); });
  }
  if (!result.ok()) return reply(result.status());
  reply(EncodeRangeResponse(CurrentHeader(node_), *result));
}

void KvService::Put(etcdserverpb::PutRequest* request, Reply reply) {
  if (Status status = CheckPut(*request); !status.ok()) {
    return reply(std::move(status));
  }
  InternalRaftRequest* raft = NewRaftRequest(request);
  raft->unsafe_arena_set_allocated_put(request);
  Propose<PutResult>(node_, raft, EncodePutResponse, std::move(reply));
}

void KvService::DeleteRange(etcdserverpb::DeleteRangeRequest* request,
                            Reply reply) {
  if (Status status = CheckDeleteRange(*request); !status.ok()) {
    return reply(std::move(status));
  }
  InternalRaftRequest* raft = NewRaftRequest(request);
  raft->unsafe_arena_set_allocated_delete_range(request);
  Propose<DeleteRangeResult>(node_, raft, EncodeDeleteRangeResponse,
                             std::move(reply));
}

void KvService::Txn(etcdserverpb::TxnRequest* request, Reply reply) {
  if (Status status = CheckTxn(*request, options_.max_txn_ops); !status.ok()) {
    return reply(std::move(status));
  }
  if (!IsReadOnly(*request)) {
    InternalRaftRequest* raft = NewRaftRequest(request);
    raft->unsafe_arena_set_allocated_txn(request);
    return Propose<TxnResult>(node_, raft, EncodeTxnResponse, std::move(reply));
  }
  Read(
      IsSerializable(*request), MayBeLong(*request),
      [this, request, reply] { AnswerReadTxn(*request, reply); }, reply);
}

void KvService::AnswerReadTxn(const etcdserverpb::TxnRequest& request,
                              const Reply& reply) const {
  StatusOr<TxnResult> result = ReadTxn(*node_->store(), FromProto(request));
  if (!result.ok()) return reply(result.status());
  reply(EncodeTxnResponse(CurrentHeader(node_), *result));
}

void KvService::Compact(etcdserverpb::CompactionRequest* request, Reply reply) {
  InternalRaftRequest* raft = NewRaftRequest(request);
  raft->unsafe_arena_set_allocated_compaction(request);
  const bool physical = request->physical();
  const Revision revision(request->revision());
  node_->Propose(
      raft, [node = node_, physical, revision,
             reply = std::move(reply)](const StatusOr<ApplyResult>& result) {
        if (!result.ok()) return reply(result.status());
        const auto answer = [node, reply] {
          reply(EncodeHeaderResponse(CurrentHeader(node)));
        };
        physical ? node->WaitCompacted(revision, answer) : answer();
      });
}

}  // namespace strata
