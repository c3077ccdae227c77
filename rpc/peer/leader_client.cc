#include "rpc/peer/leader_client.h"

#include <utility>

#include "base/wire.h"
#include "rpc/peer/members_json.h"
#include "rpc/proto/rpc.pb.h"
#include "server/errors.h"

namespace strata::peer {
namespace {

constexpr uint32_t kTimeToLiveField = 1;
// As long as etcd's server waits before it gives up on a request.
constexpr Duration kTimeout = std::chrono::seconds(5);

class HttpLeaderClient : public LeaderClient {
 public:
  explicit HttpLeaderClient(PeerTransport* transport) : transport_(transport) {}

  void RenewLease(MemberId leader, LeaseId id,
                  std::function<void(StatusOr<int64_t>)> reply) override;
  void LeaseTimeLeft(MemberId leader, LeaseId id,
                     std::function<void(StatusOr<Duration>)> reply) override;
  void PromoteMember(MemberId leader, MemberId id,
                     std::function<void(StatusOr<Membership>)> reply) override;

 private:
  void Post(MemberId leader, std::string path, std::string body,
            std::function<void(StatusOr<HttpResponse>)> done) {
    const std::vector<std::string> urls = transport_->UrlsOf(leader);
    if (urls.empty()) return done(errors::NoLeader());
    FetchRequest request;
    request.url = urls.front();
    request.method = "POST";
    request.path = std::move(path);
    request.headers = {{"Content-Type", "application/protobuf"},
                       {"Connection", "close"}};
    request.body = std::move(body);
    request.idle_timeout = kTimeout;
    FetchWhole(transport_->client(), std::move(request), std::move(done));
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

}  // namespace

std::unique_ptr<LeaderClient> NewLeaderClient(PeerTransport* transport) {
  return std::make_unique<HttpLeaderClient>(transport);
}

}  // namespace strata::peer
