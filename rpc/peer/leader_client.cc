#include "rpc/peer/leader_client.h"

#include <future>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/bytes.h"
#include "base/wire.h"
#include "rpc/peer/members_json.h"
#include "rpc/proto/rpc.pb.h"
#include "server/errors.h"

namespace strata::peer {
namespace {

constexpr uint32_t kTimeToLiveField = 1;
// As long as etcd's server waits before it gives up on a request.
constexpr Duration kTimeout = std::chrono::seconds(5);

using Answer = std::function<void(StatusOr<HttpResponse>)>;

// At one URL after the other, until somebody answers. REQUIRES: there are some
void Ask(HttpClient* client, std::vector<std::string> urls,
         FetchRequest request, const Answer& done) {
  request.url = urls.front();
  urls.erase(urls.begin());
  FetchWhole(client, request,
             [client, urls = std::move(urls), request,
              done](StatusOr<HttpResponse> response) {
               if (response.ok() || urls.empty()) {
                 return done(std::move(response));
               }
               Ask(client, urls, request, done);
             });
}

class HttpLeaderClient : public LeaderClient {
 public:
  explicit HttpLeaderClient(PeerTransport* transport) : transport_(transport) {}

  void RenewLease(MemberId leader, LeaseId id,
                  std::function<void(StatusOr<int64_t>)> reply) override;
  void LeaseTimeLeft(MemberId leader, LeaseId id,
                     std::function<void(StatusOr<Duration>)> reply) override;
  void PromoteMember(MemberId leader, MemberId id,
                     std::function<void(StatusOr<Membership>)> reply) override;
  void HashKv(MemberId member, Revision revision,
              std::function<void(StatusOr<MemberHash>)> reply) override {
    AskHashKv(transport_->client(), transport_->UrlsOf(member), revision,
              std::move(reply));
  }
  void Version(MemberId member,
               std::function<void(StatusOr<std::string>)> reply) override;

 private:
  void Post(MemberId leader, std::string path, std::string body,
            const Answer& done) {
    std::vector<std::string> urls = transport_->UrlsOf(leader);
    if (urls.empty()) return done(errors::NoLeader());
    FetchRequest request;
    request.method = "POST";
    request.path = std::move(path);
    request.headers = {{"Content-Type", "application/protobuf"},
                       {"Connection", "close"}};
    request.body = std::move(body);
    request.idle_timeout = kTimeout;
    Ask(transport_->client(), std::move(urls), std::move(request), done);
  }

  PeerTransport* const transport_;
};

// Ok if the leader has answered.
Status LeaseError(const StatusOr<HttpResponse>& response) {
  if (!response.ok()) return errors::TimedOut();
  if (response->status == 404) {
    return NotFoundError("etcdserver: requested lease not found");
  }
  return response->status == 200 ? Status::Ok() : errors::TimedOut();
}

void HttpLeaderClient::RenewLease(
    MemberId leader, LeaseId id, std::function<void(StatusOr<int64_t>)> reply) {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(id.value());
  Post(leader, "/leases", request.SerializeAsString(),
       [reply = std::move(reply)](const StatusOr<HttpResponse>& response) {
         if (Status error = LeaseError(response); !error.ok()) {
           return reply(error);
         }
         etcdserverpb::LeaseKeepAliveResponse answer;
         if (!answer.ParseFromString(response->body)) {
           return reply(errors::TimedOut());
         }
         reply(answer.ttl());
       });
}

void HttpLeaderClient::LeaseTimeLeft(
    MemberId leader, LeaseId id,
    std::function<void(StatusOr<Duration>)> reply) {
  etcdserverpb::LeaseTimeToLiveRequest request;
  request.set_id(id.value());
  std::string wrapped;
  wire::AppendBytes(&wrapped, kTimeToLiveField, request.SerializeAsString());
  Post(leader, "/leases/internal", wrapped,
       [reply = std::move(reply)](const StatusOr<HttpResponse>& response) {
         if (Status error = LeaseError(response); !error.ok()) {
           return reply(error);
         }
         etcdserverpb::LeaseTimeToLiveResponse answer;
         wire::Reader reader(response->body);
         wire::Field field;
         while (reader.Next(&field)) {
           if (field.number == kTimeToLiveField &&
               answer.ParseFromArray(field.bytes.data(),
                                     static_cast<int>(field.bytes.size()))) {
             return reply(Duration(std::chrono::seconds(answer.ttl())));
           }
         }
         reply(errors::TimedOut());
       });
}

Status PromoteError(const HttpResponse& response) {
  if (response.status == 404) return errors::MemberNotFound();
  if (response.status == 412) {
    return response.body.find("in sync") != std::string::npos
               ? errors::LearnerNotReady()
               : errors::NotLearner();
  }
  std::string text = response.body;
  while (text.ends_with('\n')) text.pop_back();
  if (text == errors::NotEnoughStarted().message()) {
    return errors::NotEnoughStarted();
  }
  return Status(Code::kUnknown, "member promote: unknown error(" + text + ")");
}

void HttpLeaderClient::PromoteMember(
    MemberId leader, MemberId id,
    std::function<void(StatusOr<Membership>)> reply) {
  Post(leader, "/members/promote/" + std::to_string(id.value()), "",
       [reply = std::move(reply)](const StatusOr<HttpResponse>& response) {
         if (!response.ok()) return reply(errors::TimedOut());
         if (response->status != 200) return reply(PromoteError(*response));
         reply(DecodeMembersJson(response->body));
       });
}

// Bodies are Go's JSON of the messages of Maintenance.HashKV.
StatusOr<MemberHash> DecodeHash(const HttpResponse& response) {
  if (response.status != 200) {
    std::string text = response.body;
    while (text.ends_with('\n')) text.pop_back();
    return response.status == 400 ? OutOfRangeError(text)
                                  : UnavailableError(text);
  }
  const auto json = nlohmann::json::parse(response.body, nullptr, false);
  if (!json.is_object()) return DataLossError("no JSON: " + response.body);
  const auto number = [](const nlohmann::json& object, const char* name) {
    const auto at = object.find(name);
    return at != object.end() && at->is_number_integer() ? at->get<int64_t>()
                                                         : int64_t{0};
  };
  MemberHash hash;
  hash.hash = static_cast<uint32_t>(number(json, "hash"));
  hash.compact_revision = Revision(number(json, "compact_revision"));
  if (const auto header = json.find("header");
      header != json.end() && header->is_object()) {
    hash.current = Revision(number(*header, "revision"));
  }
  return hash;
}

void HttpLeaderClient::Version(
    MemberId member, std::function<void(StatusOr<std::string>)> reply) {
  std::vector<std::string> urls = transport_->UrlsOf(member);
  if (urls.empty()) return reply(UnavailableError("no URL"));
  FetchRequest request;
  request.path = "/version";
  request.headers = {{"Connection", "close"}};
  request.idle_timeout = kTimeout;
  Ask(transport_->client(), std::move(urls), std::move(request),
      [reply = std::move(reply)](const auto& response) {
        if (!response.ok()) return reply(response.status());
        const auto versions = DecodeVersionsJson(response->body);
        if (!versions.ok()) return reply(versions.status());
        reply(versions->server);
      });
}

}  // namespace

void AskHashKv(HttpClient* client, std::vector<std::string> urls,
               Revision revision,
               std::function<void(StatusOr<MemberHash>)> reply) {
  if (urls.empty()) return reply(UnavailableError("no URL"));
  FetchRequest request;
  request.path = "/members/hashkv";
  request.headers = {{"Content-Type", "application/json"},
                     {"Connection", "close"}};
  request.body = R"({"revision":)" + std::to_string(revision.value()) + "}";
  request.idle_timeout = kTimeout;
  Ask(client, std::move(urls), std::move(request),
      [reply = std::move(reply)](const auto& response) {
        if (!response.ok()) return reply(response.status());
        reply(DecodeHash(*response));
      });
}

Status CheckInitialHashes(Node* node, HttpClient* client, Logger* logger) {
  ASSIGN_OR_RETURN(const HashKvResult own, node->store()->HashKv(Revision()));
  size_t checked = 0;
  for (const auto& [id, member] : node->membership().members) {
    if (id == node->member_id()) continue;
    std::promise<StatusOr<MemberHash>> answer;
    AskHashKv(client, member.peer_urls, own.hash_revision,
              [&answer](StatusOr<MemberHash> hash) {
                answer.set_value(std::move(hash));
              });
    const StatusOr<MemberHash> hash = answer.get_future().get();
    const Status comparable =
        hash.ok() && hash->compact_revision != own.compact_revision
            ? FailedPreconditionError("it is compacted to another revision")
            : hash.status();
    if (!comparable.ok()) {
      logger->Warn("cannot compare the keys with a member's",
                   {{"member", HexId(id.value())}, {"error", comparable}});
      continue;
    }
    ++checked;
    if (hash->hash != own.hash) {
      return FailedPreconditionError(HexId(node->member_id().value()) +
                                     " found data inconsistency with peers");
    }
  }
  logger->Info("compared the keys with those of other members",
               {{"revision", own.hash_revision.value()},
                {"members", static_cast<uint64_t>(checked)}});
  return Status::Ok();
}

std::unique_ptr<LeaderClient> NewLeaderClient(PeerTransport* transport) {
  return std::make_unique<HttpLeaderClient>(transport);
}

}  // namespace strata::peer
