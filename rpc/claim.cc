#include "rpc/claim.h"

#include <utility>
#include <variant>

#include "base/bytes.h"
#include "base/strings.h"
#include "engine/key_value.h"

namespace strata {
namespace {

using etcdserverpb::InternalRaftRequest;

constexpr int64_t kGrantedSeconds = 60;

}  // namespace

void AddCreateCompare(const std::string& key, Revision created,
                      etcdserverpb::TxnRequest* txn) {
  etcdserverpb::Compare* const compare = txn->add_compare();
  compare->set_key(key);
  compare->set_target(etcdserverpb::Compare::CREATE);
  compare->set_result(etcdserverpb::Compare::EQUAL);
  compare->set_create_revision(created.value());
}

std::shared_ptr<Claim> Claim::Start(const ClaimWorld& world, Request request,
                                    Done done) {
  auto claim =
      std::make_shared<Claim>(world, std::move(request), std::move(done));
  world.loop->Post([claim] {
    if (claim->lease_ == LeaseId(0)) return claim->GrantLease();
    claim->Enter();
  });
  return claim;
}

Claim::Claim(const ClaimWorld& world, Request request, Done done)
    : world_(world),
      request_(std::move(request)),
      done_(std::move(done)),
      lease_(request_.lease),
      reader_(world.hub, world.loop) {}

void Claim::Propose(std::shared_ptr<InternalRaftRequest> request,
                    std::function<void(ApplyResult)> next) {
  InternalRaftRequest* const borrowed = request.get();
  world_.node->Propose(
      borrowed, [self = shared_from_this(), request = std::move(request),
                 next = std::move(next)](StatusOr<ApplyResult> result) {
        auto answer =
            std::make_shared<StatusOr<ApplyResult>>(std::move(result));
        self->world_.loop->Post([self, answer, next] {
          if (!answer->ok()) return self->End(answer->status());
          next(std::move(**answer));
        });
      });
}

void Claim::GrantLease() {
  auto request = std::make_shared<InternalRaftRequest>();
  request->mutable_lease_grant()->set_id(world_.node->NewLeaseId().value());
  request->mutable_lease_grant()->set_ttl(kGrantedSeconds);
  Propose(std::move(request), [this](const ApplyResult& result) {
    lease_ = std::get<LeaseGrantResult>(result).id;
    Enter();
  });
}

void Claim::Enter() {
  key_ = request_.name + "/" + HexId(static_cast<uint64_t>(lease_.value()));
  auto request = std::make_shared<InternalRaftRequest>();
  etcdserverpb::TxnRequest* const txn = request->mutable_txn();
  AddCreateCompare(key_, Revision(0), txn);
  AddPut(txn);
  txn->add_failure()->mutable_request_range()->set_key(key_);
  Propose(std::move(request), [this](const ApplyResult& result) {
    Entered(std::get<TxnResult>(result));
  });
}

void Claim::AddPut(etcdserverpb::TxnRequest* txn) const {
  auto* const put = txn->add_success()->mutable_request_put();
  put->set_key(key_);
  put->set_value(request_.value);
  put->set_lease(lease_.value());
}

void Claim::Entered(const TxnResult& result) {
  entered_ = result.revision;
  created_ = result.revision;
  if (!result.succeeded) {
    const auto& range = std::get<RangeResult>(result.responses.front());
    const auto kv = DecodeKeyValue(range.kvs.front());
    if (!kv.ok()) return End(kv.status());
    created_ = kv->create_revision;
    if (done_ != nullptr && kv->value != request_.value) return Proclaim();
  }
  if (done_ == nullptr) return TakeBack();  // abandoned meanwhile
  Look();
}

// The key was there, from an earlier claim by the same lease, with a value of
// its own.
void Claim::Proclaim() {
  auto request = std::make_shared<InternalRaftRequest>();
  etcdserverpb::TxnRequest* const txn = request->mutable_txn();
  AddCreateCompare(key_, created_, txn);
  AddPut(txn);
  Propose(std::move(request), [this](const ApplyResult& result) {
    if (!std::get<TxnResult>(result).succeeded) return End(request_.lost);
    Look();
  });
}

void Claim::Look() {
  world_.node->ReadIndex([self = shared_from_this()](const Status& status) {
    self->world_.loop->Post([self, status] {
      if (!status.ok()) return self->End(status);
      self->LookNow();
    });
  });
}

// Waits for the key created just before, if there is one.
void Claim::LookNow() {
  if (done_ == nullptr) return;
  const std::string prefix = request_.name + "/";
  const std::string end = PathPrefixEnd(prefix);
  const auto before =
      world_.node->store()->Range({.range = {prefix, end},
                                   .limit = 1,
                                   .sort_order = SortOrder::kDescend,
                                   .sort_target = SortTarget::kCreate,
                                   .keys_only = true,
                                   .max_create_revision = created_ - 1});
  if (!before.ok()) return End(before.status());
  if (before->kvs.empty()) return CheckOwnKey();
  const auto kv = DecodeKeyValue(before->kvs.front());
  if (!kv.ok()) return End(kv.status());
  waited_ = true;
  reader_.Start(
      {.range = {kv->key, {}}, .start = before->revision + 1, .no_put = true},
      [this](const WatchEvent*, Revision) {
        reader_.Stop();
        Look();
      });
}

void Claim::CheckOwnKey() {
  const auto own = world_.node->store()->Range({.range = {key_, {}}});
  if (!own.ok()) return End(own.status());
  if (own->kvs.empty()) return End(request_.lost);
  const auto kv = DecodeKeyValue(own->kvs.front());
  if (!kv.ok()) return End(kv.status());
  if (kv->create_revision != created_) return End(request_.lost);
  Held held{.key = key_, .created = created_, .lease = lease_, .header = {}};
  held.header = CurrentHeader(world_.node);
  held.header.revision = waited_ ? own->revision : entered_;
  End(std::move(held));
}

void Claim::End(StatusOr<Held> outcome) {
  reader_.Stop();
  if (done_ == nullptr) return;
  if (!outcome.ok()) {
    outcome = Status(Code::kUnknown, outcome.status().message());
  }
  std::exchange(done_, nullptr)(std::move(outcome));
}

void Claim::Abandon() {
  world_.loop->Post([self = shared_from_this()] {
    if (self->done_ == nullptr) return;
    self->done_ = nullptr;
    self->reader_.Stop();
    if (self->created_ != Revision(0)) self->TakeBack();
  });
}

void Claim::TakeBack() {
  auto request = std::make_shared<InternalRaftRequest>();
  etcdserverpb::TxnRequest* const txn = request->mutable_txn();
  AddCreateCompare(key_, created_, txn);
  txn->add_success()->mutable_request_delete_range()->set_key(key_);
  Propose(std::move(request), [](const ApplyResult&) {});
}

}  // namespace strata
