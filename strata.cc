#include "strata.h"

#include <future>
#include <utility>

#include "base/check.h"
#include "base/combining_loop.h"
#include "base/limits.h"
#include "engine/errors.h"
#include "rpc/proto/raft_internal.pb.h"
#include "server/convert.h"
#include "server/errors.h"
#include "server/node.h"
#include "server/validate.h"
#include "snapshot/db_snapshot.h"
#include "watch_reader.h"

namespace strata {
namespace {

using etcdserverpb::InternalRaftRequest;

class DbImpl : public Db {
 public:
  explicit DbImpl(DbOptions options) : options_(std::move(options)) {}
  ~DbImpl() override { Close().IgnoreError(); }

  Status Start(const std::string& directory);

  using Db::Put;
  StatusOr<PutResult> Put(const PutRequest& request) override;
  StatusOr<RangeResult> Range(const RangeRequest& request) const override;
  StatusOr<DeleteRangeResult> DeleteRange(
      const DeleteRangeRequest& request) override;
  StatusOr<TxnResult> Txn(const TxnRequest& request) override;
  StatusOr<LeaseId> GrantLease(int64_t ttl_seconds, LeaseId id) override;
  StatusOr<int64_t> KeepLeaseAlive(LeaseId id) override;
  Status RevokeLease(LeaseId id) override;
  StatusOr<LeaseStatus> GetLease(LeaseId id) const override;
  std::vector<LeaseId> Leases() const override { return node_->Leases(); }
  StatusOr<std::unique_ptr<WatchReader>> Watch(
      const WatchRequest& request) override {
    return NewWatchReader(node_->watch_hub(), request);
  }
  Status Compact(Revision revision) override;
  Status Snapshot(const std::string& path) override;
  StatusOr<ShrinkProgress> Shrink(
      std::function<bool(const ShrinkProgress&)> progress) override;
  Revision revision() const override { return node_->store()->revision(); }
  Status Close() override;

 private:
  // Proposes and waits; the caller's thread does the work if no other does.
  StatusOr<ApplyResult> Propose(InternalRaftRequest* request);

  // Proposes and takes the kind of answer that such a request has.
  template <typename Result>
  StatusOr<Result> ProposeFor(InternalRaftRequest* request) {
    ASSIGN_OR_RETURN(ApplyResult result, Propose(request));
    return std::get<Result>(std::move(result));
  }

  const DbOptions options_;
  CombiningLoop loop_{"strata"};
  std::unique_ptr<Loop> flusher_ = NewThreadedLoop("strata-flush");
  std::unique_ptr<Loop> background_ = NewThreadedLoop("strata-log");
  std::unique_ptr<Loop> compactor_ = options_.backend == BackendKind::kLevelDb
                                         ? NewThreadedLoop("strata-compact")
                                         : nullptr;
  std::unique_ptr<Loop> watch_pump_ = NewThreadedLoop("strata-watch");
  std::unique_ptr<Node> node_;  // the first to end: it runs on the loops
};

Status DbImpl::Start(const std::string& directory) {
  const NodeOptions node{
      .name = options_.name,
      .data_dir = directory,
      .level = options_.level,
      .initial_advertise_peer_urls = {options_.initial_advertise_peer_url},
      .advertise_client_urls = {options_.advertise_client_url},
      .backend = options_.backend,
      .btree = options_.btree,
      .leveldb = options_.leveldb,
      .batch_interval = options_.batch_interval,
      .batch_changes = options_.batch_changes,
      .scrub = options_.scrub,
      .shrink = options_.shrink,
      .durability = options_.durability};
  const NodeWorld world{.env = options_.env,
                        .loop = &loop_,
                        .flusher = flusher_.get(),
                        .background = background_.get(),
                        .compactor = compactor_.get(),
                        .helper = flusher_.get(),
                        .watch_pump = watch_pump_.get(),
                        .logger = options_.logger,
                        .on_fatal = [this](const Status& status) {
                          CHECK(options_.on_fatal != nullptr)
                              << status.ToString();
                          options_.on_fatal(status);
                        }};
  ASSIGN_OR_RETURN(node_, Node::Open(node, world));
  return Status::Ok();
}

StatusOr<ApplyResult> DbImpl::Propose(InternalRaftRequest* request) {
  bool done = false;
  StatusOr<ApplyResult> result = ApplyResult();
  loop_.RunUntilDone(&done, [&] {
    node_->Propose(request, [&](StatusOr<ApplyResult> reply) {
      result = std::move(reply);
      done = true;
    });
  });
  return result;
}

StatusOr<PutResult> DbImpl::Put(const PutRequest& request) {
  InternalRaftRequest proposal;
  ToProto(request, proposal.mutable_put());
  RETURN_IF_ERROR(CheckPut(proposal.put()));
  return ProposeFor<PutResult>(&proposal);
}

StatusOr<RangeResult> DbImpl::Range(const RangeRequest& request) const {
  if (request.range.key.empty()) return errors::EmptyKey();
  return node_->store()->Range(request);
}

StatusOr<DeleteRangeResult> DbImpl::DeleteRange(
    const DeleteRangeRequest& request) {
  InternalRaftRequest proposal;
  ToProto(request, proposal.mutable_delete_range());
  RETURN_IF_ERROR(CheckDeleteRange(proposal.delete_range()));
  return ProposeFor<DeleteRangeResult>(&proposal);
}

StatusOr<TxnResult> DbImpl::Txn(const TxnRequest& request) {
  InternalRaftRequest proposal;
  ToProto(request, proposal.mutable_txn());
  RETURN_IF_ERROR(CheckTxn(proposal.txn(), limits::kMaxTxnOps));
  return ProposeFor<TxnResult>(&proposal);
}

Status DbImpl::Compact(Revision revision) {
  InternalRaftRequest proposal;
  proposal.mutable_compaction()->set_revision(revision.value());
  return Propose(&proposal).status();
}

StatusOr<LeaseId> DbImpl::GrantLease(int64_t ttl_seconds, LeaseId id) {
  InternalRaftRequest proposal;
  if (id == LeaseId()) id = node_->NewLeaseId();
  proposal.mutable_lease_grant()->set_id(id.value());
  proposal.mutable_lease_grant()->set_ttl(ttl_seconds);
  ASSIGN_OR_RETURN(const LeaseGrantResult granted,
                   ProposeFor<LeaseGrantResult>(&proposal));
  return granted.id;
}

StatusOr<int64_t> DbImpl::KeepLeaseAlive(LeaseId id) {
  std::promise<StatusOr<int64_t>> renewed;
  node_->RenewLease(id, [&renewed](StatusOr<int64_t> seconds) {
    renewed.set_value(std::move(seconds));
  });
  return renewed.get_future().get();
}

Status DbImpl::RevokeLease(LeaseId id) {
  InternalRaftRequest proposal;
  proposal.mutable_lease_revoke()->set_id(id.value());
  return Propose(&proposal).status();
}

StatusOr<LeaseStatus> DbImpl::GetLease(LeaseId id) const {
  ASSIGN_OR_RETURN(const Duration left, node_->LeaseTimeLeft(id));
  const LeaseTable& leases = node_->store()->leases();
  const std::optional<LeaseRecord> lease = leases.Find(id);
  if (!lease.has_value()) return errors::LeaseNotFound();
  return LeaseStatus{.id = id,
                     .ttl_seconds = lease->ttl_seconds,
                     .left = left,
                     .keys = leases.Keys(id)};
}

Status DbImpl::Snapshot(const std::string& path) {
  return WriteDbSnapshotFile(options_.env, path, [this](const ByteSink& sink) {
    return node_->store()->WriteSnapshot(sink);
  });
}

StatusOr<ShrinkProgress> DbImpl::Shrink(
    std::function<bool(const ShrinkProgress&)> progress) {
  std::promise<StatusOr<ShrinkProgress>> result;
  node_->store()->Shrink(std::move(progress),
                         [&result](const StatusOr<ShrinkProgress>& reached) {
                           result.set_value(reached);
                         });
  return result.get_future().get();
}

Status DbImpl::Close() {
  if (node_ == nullptr) return Status::Ok();
  Status stopped = node_->Stop();
  node_.reset();
  return stopped;
}

}  // namespace

StatusOr<std::unique_ptr<Db>> Db::Open(const std::string& directory,
                                       DbOptions options) {
  auto db = std::make_unique<DbImpl>(std::move(options));
  RETURN_IF_ERROR(db->Start(directory));
  return db;
}

StatusOr<std::optional<Record>> Db::Get(std::string_view key,
                                        Revision revision) {
  RangeRequest request;
  request.range.key = key;
  request.revision = revision;
  ASSIGN_OR_RETURN(RangeResult result, Range(request));
  ASSIGN_OR_RETURN(std::vector<Record> records, Decode(result));
  if (records.empty()) return std::optional<Record>();
  return std::optional<Record>(std::move(records.front()));
}

StatusOr<std::vector<Record>> Decode(const RangeResult& result) {
  std::vector<Record> records;
  records.reserve(result.kvs.size());
  for (std::string_view encoded : result.kvs) {
    auto bytes = std::make_shared<const std::string>(encoded);
    ASSIGN_OR_RETURN(const KeyValue kv, DecodeKeyValue(*bytes));
    records.emplace_back(kv, std::move(bytes));
  }
  return records;
}

}  // namespace strata
