#include "tests/sim/cluster.h"

#include <utility>

#include "base/check.h"
#include "engine/key_value.h"
#include "server/identity.h"

namespace strata::sim {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);

}  // namespace

Cluster::Cluster(const ClusterOptions& options)
    : options_(options),
      world_({.random_seed = options.seed}),
      network_(&world_, options.seed ^ 0x6e6574) {
  for (size_t i = 0; i < options.members; ++i) {
    if (!initial_cluster_.empty()) initial_cluster_ += ',';
    initial_cluster_ += "m" + std::to_string(i) + "=" + UrlsOf(i)[0];
  }
  const auto known = ParseInitialCluster(initial_cluster_, "etcd-cluster");
  CHECK_OK(known);
  for (size_t i = 0; i < options.members; ++i) {
    members_.push_back(std::make_unique<Member>(&world_, &network_,
                                                (*known)[i].id, OptionsOf(i),
                                                options.seed * 1000 + i * 100));
  }
}

Cluster::~Cluster() {
  for (auto& member : members_) member->Kill();
}

std::vector<std::string> Cluster::UrlsOf(size_t number) {
  return {"http://10.0.0." + std::to_string(number + 1) + ":2380"};
}

NodeOptions Cluster::OptionsOf(size_t number) const {
  NodeOptions options = options_.node;
  if (options.wal_segment_bytes == limits::kLogSegmentBytes) {
    options.wal_segment_bytes = 64 << 10;  // so that tests cross them
  }
  options.name = "m" + std::to_string(number);
  options.initial_cluster = initial_cluster_;
  options.initial_advertise_peer_urls = UrlsOf(number);
  options.advertise_client_urls = {"http://10.0.0." +
                                   std::to_string(number + 1) + ":2379"};
  return options;
}

Status Cluster::StartAll() {
  for (auto& member : members_) {
    if (!member->up()) RETURN_IF_ERROR(member->Start());
  }
  return Status::Ok();
}

Member* Cluster::Leader() {
  Member* leader = nullptr;
  Term term;
  for (auto& member : members_) {
    if (!member->up()) continue;
    const ReplicatorStatus status = member->node()->replication();
    if (status.leader == member->id() && status.term > term) {
      leader = member.get();
      term = status.term;
    }
  }
  return leader;
}

Member* Cluster::WaitForLeader() {
  world_.RunUntil([this] { return Leader() != nullptr; }, kPatience);
  return Leader();
}

void Cluster::Isolate(size_t a) {
  for (size_t b = 0; b < members_.size(); ++b) {
    if (a == b) continue;
    network_.Cut(members_[a]->id(), members_[b]->id());
    network_.Cut(members_[b]->id(), members_[a]->id());
  }
}

Member* Cluster::AddNew(size_t from, MemberId id,
                        const std::vector<std::string>& urls) {
  NodeOptions options = OptionsOf(members_.size());
  options.initial_advertise_peer_urls = urls;
  const Membership known = members_[from]->node()->membership();
  ExistingCluster join{.id = members_[from]->node()->cluster_id(), .self = id};
  for (const auto& [other, record] : known.members) {
    join.members.push_back(record);
  }
  options.join = std::move(join);
  members_.push_back(
      std::make_unique<Member>(&world_, &network_, id, std::move(options),
                               options_.seed * 1000 + members_.size() * 100));
  return members_.back().get();
}

StatusOr<ApplyResult> Cluster::Propose(
    Member* member, etcdserverpb::InternalRaftRequest request) {
  // Shared, as an answer may come after this has given up waiting.
  struct Call {
    etcdserverpb::InternalRaftRequest request;
    std::optional<StatusOr<ApplyResult>> answer;
  };
  auto call = std::make_shared<Call>();
  call->request = std::move(request);
  member->node()->Propose(&call->request, [call](StatusOr<ApplyResult> answer) {
    call->answer = std::move(answer);
  });
  world_.RunUntil([&] { return call->answer.has_value(); }, kPatience);
  if (!call->answer) return UnavailableError("no answer");
  return std::move(*call->answer);
}

StatusOr<Revision> Cluster::Put(Member* member, std::string_view key,
                                std::string_view value) {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_put()->set_key(std::string(key));
  request.mutable_put()->set_value(std::string(value));
  ASSIGN_OR_RETURN(const ApplyResult result,
                   Propose(member, std::move(request)));
  return std::get<PutResult>(result).revision;
}

Status Cluster::Wait(
    const std::function<void(std::function<void(Status)>)>& start) {
  auto answer = std::make_shared<std::optional<Status>>();
  start([answer](const Status& status) { *answer = status; });
  world_.RunUntil([&] { return answer->has_value(); }, kPatience);
  return answer->value_or(UnavailableError("no answer"));
}

StatusOr<std::optional<std::string>> Cluster::Get(Member* member,
                                                  std::string_view key) {
  RETURN_IF_ERROR(Wait([&](std::function<void(Status)> done) {
    member->node()->ReadIndex(std::move(done));
  }));
  return ReadHere(member, key);
}

std::optional<std::string> ReadHere(Member* member, std::string_view key) {
  RangeRequest request;
  request.range.key = key;
  const auto result = member->node()->store()->Range(request);
  CHECK_OK(result);
  if (result->kvs.empty()) return std::nullopt;
  const auto kv = DecodeKeyValue(result->kvs.front());
  CHECK_OK(kv);
  return std::string(kv->value);
}

}  // namespace strata::sim
