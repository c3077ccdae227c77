#include "server/sim_node.h"

#include <utility>

#include "base/check.h"
#include "engine/key_value.h"

namespace strata {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);  // simulated

}  // namespace

SimNode::SimNode(Env* env) : env_(env) {
  options_.data_dir = "data";
  options_.initial_advertise_peer_urls = {"http://localhost:2380"};
  options_.advertise_client_urls = {"http://localhost:2379"};
  options_.btree.initial_mmap_bytes = 1 << 20;
  options_.wal_segment_bytes = 64 << 10;
}

SimNode::~SimNode() { Kill(); }

Status SimNode::Open() {
  Kill();
  fatal_ = Status::Ok();
  loop_ = world_.NewLoop("node");
  flusher_ = world_.NewLoop("flusher");
  background_ = world_.NewLoop("background");
  const NodeWorld world{
      .env = env_,
      .loop = loop_.get(),
      .flusher = flusher_.get(),
      .background = background_.get(),
      .logger = Logger::Null(),
      .on_fatal = [this](const Status& status) { fatal_ = status; }};
  ASSIGN_OR_RETURN(node_, Node::Open(options_, world));
  return Status::Ok();
}

void SimNode::Kill() {
  for (auto* loop : {&loop_, &flusher_, &background_}) {
    if (*loop != nullptr) (*loop)->Halt();
  }
  node_.reset();
  background_.reset();
  flusher_.reset();
  loop_.reset();
}

StatusOr<ApplyResult> SimNode::Propose(
    etcdserverpb::InternalRaftRequest request) {
  // Shared, as an answer may come after this has given up waiting.
  struct Call {
    etcdserverpb::InternalRaftRequest request;
    std::optional<StatusOr<ApplyResult>> answer;
  };
  auto call = std::make_shared<Call>();
  call->request = std::move(request);
  node_->Propose(&call->request, [call](StatusOr<ApplyResult> answer) {
    call->answer = std::move(answer);
  });
  world_.RunUntil([&] { return call->answer.has_value(); }, kPatience);
  if (!call->answer) return UnavailableError("no answer");
  return std::move(*call->answer);
}

StatusOr<Revision> SimNode::Put(std::string_view key, std::string_view value) {
  etcdserverpb::InternalRaftRequest request;
  request.mutable_put()->set_key(std::string(key));
  request.mutable_put()->set_value(std::string(value));
  ASSIGN_OR_RETURN(const ApplyResult result, Propose(std::move(request)));
  return std::get<PutResult>(result).revision;
}

std::optional<std::string> SimNode::Get(std::string_view key,
                                        Revision revision) {
  RangeRequest request;
  request.range.key = key;
  request.revision = revision;
  auto result = node_->store()->Range(request);
  CHECK_OK(result);
  if (result->kvs.empty()) return std::nullopt;
  auto kv = DecodeKeyValue(result->kvs.front());
  CHECK_OK(kv);
  return std::string(kv->value);
}

}  // namespace strata
