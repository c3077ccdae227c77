#include "rpc/peer/member_routes.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/bytes.h"
#include "base/wire.h"
#include "rpc/peer/members_json.h"
#include "rpc/proto/rpc.pb.h"
#include "server/errors.h"

namespace strata::peer {
namespace {

constexpr std::string_view kPromote = "/members/promote/";
constexpr uint64_t kMaxBodyBytes = 64 << 10;
// In etcd's messages between members: what wraps a LeaseTimeToLiveRequest and
// its answer.
constexpr uint32_t kTimeToLiveField = 1;

HttpResponse Text(int status, std::string_view text) {
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"},
                      {"X-Content-Type-Options", "nosniff"}},
          .body = std::string(text) + "\n"};
}

HttpResponse WithCluster(const Node& node, HttpResponse response) {
  response.headers.emplace_back("X-Etcd-Cluster-ID",
                                HexId(node.cluster_id().value()));
  return response;
}

HttpResponse Json(std::string body) {
  return {.status = 200,
          .headers = {{"Content-Type", "application/json"}},
          .body = std::move(body)};
}

HttpResponse Protobuf(std::string body) {
  return {.status = 200,
          .headers = {{"Content-Type", "application/protobuf"}},
          .body = std::move(body)};
}

HttpResponse MethodNotAllowed(const std::string& allowed) {
  HttpResponse refusal = Text(405, "Method Not Allowed");
  refusal.headers.emplace_back("Allow", allowed);
  return refusal;
}

HttpResponse PromoteRefusal(const Status& status) {
  if (status == errors::MemberNotFound()) {
    return Text(404, "membership: ID not found");
  }
  if (status == errors::NotLearner()) {
    return Text(412, "membership: can only promote a learner member");
  }
  if (status == errors::LearnerNotReady()) {
    return Text(412, status.message());
  }
  return Text(500, status.message());
}

// Who asks takes us for the leader. If we are not, it must not be passed on: it
// could go round for ever.
bool Leads(const Node& node) {
  return node.replication().leader == node.member_id();
}

void Promote(Node* node, const HttpRequest& request, const HttpReply& reply) {
  if (request.method != "POST") return reply(MethodNotAllowed("POST"));
  const std::string_view text =
      std::string_view(request.path).substr(kPromote.size());
  uint64_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || parsed != end) {
    return reply(WithCluster(*node, Text(404, "member " + std::string(text) +
                                                  " not found in cluster")));
  }
  if (!Leads(*node)) {
    return reply(WithCluster(*node, PromoteRefusal(errors::NotLeader())));
  }
  node->PromoteMember(MemberId(id), [node, reply](
                                        const StatusOr<Membership>& members) {
    reply(WithCluster(*node, members.ok() ? Json(EncodeMembersJson(*members))
                                          : PromoteRefusal(members.status())));
  });
}

HttpResponse LeaseRefusal(const Status& status) {
  if (status.code() == Code::kNotFound) return Text(404, "lease not found");
  if (status == errors::TimedOut()) {
    return Text(408,
                "waiting for node to catch up its applied index has timed out");
  }
  return Text(400, status.message());
}

void RenewLease(Node* node, const HttpRequest& request, std::string_view body,
                const HttpReply& reply) {
  etcdserverpb::LeaseKeepAliveRequest message;
  if (request.method != "POST") return reply(MethodNotAllowed("POST"));
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return reply(Text(400, "error unmarshalling request"));
  }
  if (!Leads(*node)) return reply(LeaseRefusal(errors::NotLeader()));
  const int64_t id = message.id();
  node->RenewLease(LeaseId(id), [id, reply](const StatusOr<int64_t>& ttl) {
    if (!ttl.ok()) return reply(LeaseRefusal(ttl.status()));
    etcdserverpb::LeaseKeepAliveResponse response;
    response.set_id(id);
    response.set_ttl(*ttl);
    reply(Protobuf(response.SerializeAsString()));
  });
}

// The request in its wrapping.
bool ParseTimeToLive(std::string_view body,
                     etcdserverpb::LeaseTimeToLiveRequest* request) {
  wire::Reader reader(body);
  wire::Field field;
  bool found = false;
  while (reader.Next(&field)) {
    if (field.number != kTimeToLiveField) continue;
    found = request->ParseFromArray(field.bytes.data(),
                                    static_cast<int>(field.bytes.size()));
  }
  return found && reader.ok();
}

HttpResponse LeaseTimeToLive(Node* node, const HttpRequest& request,
                             std::string_view body) {
  etcdserverpb::LeaseTimeToLiveRequest message;
  if (request.method != "POST") return MethodNotAllowed("POST");
  if (!ParseTimeToLive(body, &message)) {
    return Text(400, "error unmarshalling request");
  }
  const LeaseId id(message.id());
  const StatusOr<Duration> left = node->LeaseTimeLeft(id);
  const auto lease = node->store()->leases().Find(id);
  if (!left.ok()) return LeaseRefusal(left.status());
  if (!lease.has_value()) return Text(404, "lease not found");
  etcdserverpb::LeaseTimeToLiveResponse response;
  response.mutable_header();
  response.set_id(id.value());
  response.set_ttl(
      std::chrono::duration_cast<std::chrono::seconds>(*left).count());
  response.set_grantedttl(lease->ttl_seconds);
  if (message.keys()) {
    for (std::string& key : node->store()->leases().Keys(id)) {
      response.add_keys(std::move(key));
    }
  }
  std::string wrapped;
  wire::AppendBytes(&wrapped, kTimeToLiveField, response.SerializeAsString());
  return Protobuf(std::move(wrapped));
}

// In the form of Go's JSON of a HashKVResponse.
std::string EncodeHash(const Node& node, const HashKvResult& result) {
  std::string json =
      R"({"header":{"cluster_id":)" +
      std::to_string(node.cluster_id().value()) + R"(,"member_id":)" +
      std::to_string(node.member_id().value()) + R"(,"revision":)" +
      std::to_string(result.current.value()) + R"(,"raft_term":)" +
      std::to_string(node.replication().term.value()) + R"(},"hash":)" +
      std::to_string(result.hash);
  // Go leaves out what is zero.
  if (result.compact_revision != Revision()) {
    json += R"(,"compact_revision":)" +
            std::to_string(result.compact_revision.value());
  }
  return json + "}";
}

void HashKv(Node* node, Loop* worker, const HttpRequest& request,
            std::string_view body, const HttpReply& reply) {
  if (request.method != "GET") return reply(MethodNotAllowed("GET"));
  const auto json = nlohmann::json::parse(body, nullptr, false);
  const auto wanted = json.is_object() ? json.find("revision") : json.end();
  if (!json.is_object() ||
      (wanted != json.end() && !wanted->is_number_integer())) {
    return reply(Text(400, "error unmarshalling request"));
  }
  const Revision revision(wanted != json.end() ? wanted->get<int64_t>() : 0);
  worker->Post([node, revision, reply] {
    const StatusOr<HashKvResult> result = node->store()->HashKv(revision);
    if (result.ok()) {
      return reply(WithCluster(*node, Json(EncodeHash(*node, *result))));
    }
    // Between members the text is the store's, without its prefix.
    constexpr std::string_view kPrefix = "etcdserver: ";
    std::string_view text = result.status().message();
    if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
    reply(Text(400, text));
  });
}

HttpRoute GetRoute(std::string path, std::function<HttpResponse()> get) {
  return WholeBodyRoute(
      std::move(path), 0,
      [get = std::move(get)](const HttpRequest& request, const std::string&,
                             const HttpReply& reply) {
        reply(request.method == "GET" ? get() : MethodNotAllowed("GET"));
      });
}

// Members of 3.4 do not have it. As of now, not of what this one knows.
void DowngradeEnabled(Node* node, const HttpRequest& request,
                      const HttpReply& reply) {
  if (node->level() < Level::V3_5()) {
    return reply(Text(404, "404 page not found"));
  }
  if (request.method != "GET") return reply(MethodNotAllowed("GET"));
  node->ReadIndex([node, reply](const Status& read) {
    if (!read.ok()) {
      return reply(WithCluster(
          *node, Text(500, "failed linearized read: " + read.message())));
    }
    reply(WithCluster(*node,
                      {.status = 200,
                       .headers = {{"Content-Type", "text/plain"}},
                       .body = node->downgrade().enabled ? "true" : "false"}));
  });
}

}  // namespace

std::vector<HttpRoute> MemberRoutes(Node* node, Loop* worker) {
  return {
      WholeBodyRoute("/downgrade/enabled", kMaxBodyBytes,
                     [node](const HttpRequest& request, const std::string&,
                            const HttpReply& reply) {
                       DowngradeEnabled(node, request, reply);
                     }),
      WholeBodyRoute(
          "/members/hashkv", kMaxBodyBytes,
          [node, worker](const HttpRequest& request, const std::string& body,
                         const HttpReply& reply) {
            HashKv(node, worker, request, body, reply);
          }),
      GetRoute("/version",
               [node] {
                 return Json(
                     EncodeVersionsJson({node->level().ClusterVersion(),
                                         node->membership().cluster_version}));
               }),
      GetRoute("/members",
               [node] {
                 return WithCluster(
                     *node, Json(EncodeMembersJson(node->membership())));
               }),
      WholeBodyRoute(
          std::string(kPromote), kMaxBodyBytes,
          [node](const HttpRequest& request, const std::string&,
                 const HttpReply& reply) { Promote(node, request, reply); }),
      WholeBodyRoute("/leases", kMaxBodyBytes,
                     [node](const HttpRequest& request, const std::string& body,
                            const HttpReply& reply) {
                       RenewLease(node, request, body, reply);
                     }),
      WholeBodyRoute("/leases/internal", kMaxBodyBytes,
                     [node](const HttpRequest& request, const std::string& body,
                            const HttpReply& reply) {
                       reply(LeaseTimeToLive(node, request, body));
                     })};
}

}  // namespace strata::peer
