#include <utility>

#include "base/strings.h"
#include "engine/key_value.h"
#include "rpc/lock_service.h"
#include "rpc/long_call.h"
#include "rpc/propose.h"

namespace strata {
namespace {

using v3electionpb::CampaignRequest;
using v3electionpb::LeaderRequest;
using v3electionpb::LeaderResponse;

// Of those who campaign, the one whose key was created first.
RangeRequest FirstOf(const std::string& prefix, const std::string& end) {
  return {.range = {prefix, end},
          .limit = 1,
          .sort_order = SortOrder::kAscend,
          .sort_target = SortTarget::kCreate};
}

std::string PrefixOf(const LeaderRequest& request) {
  return request.name() + "/";
}

// The answer about `kv`, an encoded KeyValue.
std::string EncodeLeader(const ResponseHeader& header, std::string_view kv) {
  LeaderResponse response;
  FillHeader(header, response.mutable_header());
  if (!response.mutable_kv()->ParseFromArray(kv.data(),
                                             static_cast<int>(kv.size()))) {
    response.clear_kv();  // damage is found where values are read
  }
  return response.SerializeAsString();
}

// A transaction that changes a leader's key as long as it leads.
template <typename Request>
etcdserverpb::InternalRaftRequest* NewLeaderTxn(Request* request) {
  auto* const proposal = NewRaftRequest(request);
  AddCreateCompare(request->leader().key(), Revision(request->leader().rev()),
                   proposal->mutable_txn());
  return proposal;
}

Status MissingLeaderKey() {
  return Status(Code::kUnknown, "\"leader\" field must be provided");
}

// Tells a client of each leader and each value it proclaims. Its steps run on
// the world's loop.
class Observer : public StreamHandler,
                 public std::enable_shared_from_this<Observer> {
 public:
  Observer(const ClaimWorld& world, std::shared_ptr<StreamSink> sink)
      : world_(world), sink_(std::move(sink)), reader_(world.hub, world.loop) {}

  bool OnMessage(std::string_view bytes) override {
    LeaderRequest request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      sink_->Finish(InternalError("grpc: error unmarshalling request"));
      return false;
    }
    Post([this, prefix = PrefixOf(request)] {
      prefix_ = prefix;
      Look();
    });
    return false;
  }
  // What changed while the client did not read is told by its last state.
  void OnWritable() override {
    Post([this] {
      if (behind_) Look();
    });
  }
  void OnReadsDone() override {}
  void OnDone() override {
    Post([this] {
      over_ = true;
      reader_.Stop();
    });
  }

 private:
  void Post(std::function<void()> step) {
    world_.loop->Post(
        [self = shared_from_this(), step = std::move(step)] { step(); });
  }

  void Look() {
    if (over_) return;
    behind_ = false;
    const std::string end = PathPrefixEnd(prefix_);
    const auto first = world_.node->store()->Range(FirstOf(prefix_, end));
    if (!first.ok()) return sink_->Finish(first.status());
    if (first->kvs.empty()) {
      return Await({prefix_, end}, first->revision + 1);
    }
    const auto kv = DecodeKeyValue(first->kvs.front());
    if (!kv.ok()) return sink_->Finish(kv.status());
    if (!Tell(first->revision, first->kvs.front())) return;
    Await({kv->key, {}}, first->revision + 1);
  }

  // Waits for the next put of a leader, or for the first of a new one.
  void Await(const KeyRange& range, Revision start) {
    const bool anyone = !range.single();
    reader_.Start({.range = range, .start = start, .no_delete = anyone},
                  [this, anyone](const WatchEvent* event, Revision) {
                    if (event == nullptr || event->is_delete() || anyone) {
                      reader_.Stop();
                      return Look();
                    }
                    if (!Tell(event->revision(), event->kv())) reader_.Stop();
                  });
  }

  // False: the client does not read; OnWritable goes on.
  bool Tell(Revision revision, std::string_view kv) {
    if (!sink_->Writable()) {
      behind_ = true;
      return false;
    }
    ResponseHeader header = CurrentHeader(world_.node);
    header.revision = revision;
    sink_->Write(StreamMessage(EncodeLeader(header, kv)));
    return true;
  }

  const ClaimWorld world_;
  const std::shared_ptr<StreamSink> sink_;
  std::string prefix_;
  EventReader reader_;
  bool behind_ = false;
  bool over_ = false;
};

}  // namespace

std::vector<UnaryMethod> ElectionService::Methods() {
  const std::string service = "/v3electionpb.Election/";
  return {MakeUnary(service + "Proclaim", this, &ElectionService::Proclaim),
          MakeUnary(service + "Leader", this, &ElectionService::Leader),
          MakeUnary(service + "Resign", this, &ElectionService::Resign)};
}

std::vector<StreamMethod> ElectionService::Streams() {
  auto campaign = [this](const CampaignRequest& request,
                         Reply reply) -> std::function<void()> {
    auto claim = Claim::Start(
        world_,
        {.name = request.name(),
         .lease = LeaseId(request.lease()),
         .value = request.value(),
         .lost = Status(Code::kUnknown, "election: session is expired")},
        [name = request.name(),
         reply = std::move(reply)](const StatusOr<Claim::Held>& held) {
          if (!held.ok()) return reply(held.status());
          v3electionpb::CampaignResponse response;
          FillHeader(held->header, response.mutable_header());
          auto* const leader = response.mutable_leader();
          leader->set_name(name);
          leader->set_key(held->key);
          leader->set_rev(held->created.value());
          leader->set_lease(held->lease.value());
          reply(response.SerializeAsString());
        });
    return [claim] { claim->Abandon(); };
  };
  return {MakeLongCall<CampaignRequest>("/v3electionpb.Election/Campaign",
                                        std::move(campaign)),
          {"/v3electionpb.Election/Observe",
           [this](std::shared_ptr<StreamSink> sink) {
             return std::make_shared<Observer>(world_, std::move(sink));
           }}};
}

// A handler owns its reply. NOLINTNEXTLINE(performance-unnecessary-value-param)
void ElectionService::Leader(LeaderRequest* request, Reply reply) {
  const std::string prefix = PrefixOf(*request);
  world_.node->ReadIndex([node = world_.node, prefix,
                          reply = std::move(reply)](const Status& status) {
    if (!status.ok()) return reply(status);
    const std::string end = PathPrefixEnd(prefix);
    const auto first = node->store()->Range(FirstOf(prefix, end));
    if (!first.ok()) return reply(first.status());
    if (first->kvs.empty())
      return reply(Status(Code::kUnknown, "election: no leader"));
    ResponseHeader header = CurrentHeader(node);
    header.revision = first->revision;
    reply(EncodeLeader(header, first->kvs.front()));
  });
}

void ElectionService::Proclaim(v3electionpb::ProclaimRequest* request,
                               Reply reply) {
  if (!request->has_leader()) return reply(MissingLeaderKey());
  auto* const proposal = NewLeaderTxn(request);
  auto* const put =
      proposal->mutable_txn()->add_success()->mutable_request_put();
  put->set_key(request->leader().key());
  put->set_value(request->value());
  put->set_lease(request->leader().lease());
  world_.node->Propose(proposal, [node = world_.node, reply = std::move(reply)](
                                     StatusOr<ApplyResult> result) {
    if (!result.ok()) return reply(result.status());
    const auto& txn = std::get<TxnResult>(*result);
    if (!txn.succeeded)
      return reply(Status(Code::kUnknown, "election: not leader"));
    ResponseHeader header = CurrentHeader(node);
    header.revision = txn.revision;
    reply(EncodeHeaderResponse(header));
  });
}

// Whoever leads no more has nothing to resign, and that is fine.
void ElectionService::Resign(v3electionpb::ResignRequest* request,
                             Reply reply) {
  if (!request->has_leader()) return reply(MissingLeaderKey());
  auto* const proposal = NewLeaderTxn(request);
  proposal->mutable_txn()
      ->add_success()
      ->mutable_request_delete_range()
      ->set_key(request->leader().key());
  Propose<TxnResult>(
      world_.node, proposal,
      [](ResponseHeader header, const TxnResult& result) {
        header.revision = result.revision;
        return EncodeHeaderResponse(header);
      },
      std::move(reply));
}

}  // namespace strata
