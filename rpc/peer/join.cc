#include "rpc/peer/join.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "rpc/peer/identity.h"
#include "rpc/peer/members_json.h"

namespace strata::peer {
namespace {

constexpr Duration kJoinTimeout = std::chrono::seconds(10);
// Members of a new cluster start one after another: nobody waits for long.
constexpr Duration kStartTimeout = std::chrono::seconds(1);

StatusOr<HttpResponse> Get(HttpClient* client, const std::string& url,
                           const std::string& path, Duration timeout) {
  FetchRequest request;
  request.url = url;
  request.path = path;
  request.headers = {{"Connection", "close"}};
  request.connect_timeout = timeout;
  request.idle_timeout = timeout;
  ASSIGN_OR_RETURN(HttpResponse response,
                   FetchAndWait(client, std::move(request)));
  if (response.status != 200) {
    return UnavailableError("HTTP status " + std::to_string(response.status));
  }
  return response;
}

std::vector<std::string> OthersUrls(const JoinRequest& request) {
  std::vector<std::string> urls;
  for (const MemberRecord& member : request.initial_cluster) {
    if (member.name == request.name) continue;
    urls.insert(urls.end(), member.peer_urls.begin(), member.peer_urls.end());
  }
  std::ranges::sort(urls);
  return urls;
}

StatusOr<ExistingCluster> FetchMembers(HttpClient* client,
                                       const std::string& url,
                                       Duration timeout) {
  ASSIGN_OR_RETURN(const HttpResponse response,
                   Get(client, url, "/members", timeout));
  ASSIGN_OR_RETURN(Membership membership, DecodeMembersJson(response.body));
  const HttpRequest head = {.method = "",
                            .path = "",
                            .query = "",
                            .headers = response.headers,
                            .peer = ""};
  const std::string* const id = head.Find("X-Etcd-Cluster-ID");
  const auto cluster = id == nullptr ? std::nullopt : ParseHexId(*id);
  if (!cluster.has_value() || membership.members.empty()) {
    return UnavailableError(
        "failed to get raft cluster member(s) from the given URLs");
  }
  ExistingCluster found;
  found.id = ClusterId(*cluster);
  for (auto& [member_id, member] : membership.members) {
    found.members.push_back(std::move(member));
  }
  return found;
}

StatusOr<ExistingCluster> FetchCluster(HttpClient* client,
                                       const JoinRequest& request,
                                       Duration timeout, Logger* logger) {
  for (const std::string& url : OthersUrls(request)) {
    auto found = FetchMembers(client, url, timeout);
    if (found.ok()) return found;
    logger->Warn("a member does not say who is in the cluster",
                 {{"url", url}, {"error", found.status()}});
  }
  return UnavailableError(
      "cannot fetch cluster info from peer urls: could not retrieve cluster "
      "information from the given URLs");
}

std::vector<std::string> Sorted(std::vector<std::string> urls) {
  std::ranges::sort(urls);
  return urls;
}

// Finds this member in the cluster, and all others of the flags.
Status Match(const JoinRequest& request, ExistingCluster* cluster) {
  if (request.initial_cluster.size() != cluster->members.size()) {
    return FailedPreconditionError(
        "error validating peerURLs: member count is unequal");
  }
  for (const MemberRecord& wanted : request.initial_cluster) {
    const auto urls = Sorted(wanted.peer_urls);
    const auto found = std::ranges::find_if(
        cluster->members,
        [&](const MemberRecord& m) { return Sorted(m.peer_urls) == urls; });
    if (found == cluster->members.end()) {
      std::string listed;
      for (const std::string& url : urls) {
        listed += (listed.empty() ? "" : " ") + url;
      }
      return FailedPreconditionError(
          "error validating peerURLs: unmatched member while checking PeerURLs "
          "(peer URL [" +
          listed + "] of --initial-cluster is no member's)");
    }
    if (wanted.name == request.name) cluster->self = found->id;
  }
  return Status::Ok();
}

// The version that the others say the cluster has.
StatusOr<Level> FindLevel(HttpClient* client, const ExistingCluster& cluster,
                          Logger* logger) {
  const Status incompatible =
      FailedPreconditionError("incompatible with current running cluster");
  std::optional<Level> level;
  for (const MemberRecord& member : cluster.members) {
    if (member.id == cluster.self) continue;
    for (const std::string& url : member.peer_urls) {
      const auto response = Get(client, url, "/version", kJoinTimeout);
      if (!response.ok()) continue;
      const auto versions = DecodeVersionsJson(response->body);
      if (!versions.ok()) continue;
      const auto said = Level::OfClusterVersion(
          versions->cluster.empty() ? versions->server : versions->cluster);
      if (!said.ok()) {
        logger->Warn("the cluster's version is not one of ours",
                     {{"url", url}, {"error", said.status()}});
        return incompatible;
      }
      level = level.has_value() ? std::min(*level, *said) : *said;
      break;
    }
  }
  if (!level.has_value()) return incompatible;
  return *level;
}

}  // namespace

StatusOr<JoinedCluster> JoinCluster(HttpClient* client,
                                    const JoinRequest& request,
                                    Logger* logger) {
  JoinedCluster joined;
  ASSIGN_OR_RETURN(joined.cluster,
                   FetchCluster(client, request, kJoinTimeout, logger));
  RETURN_IF_ERROR(Match(request, &joined.cluster));
  ASSIGN_OR_RETURN(joined.level, FindLevel(client, joined.cluster, logger));
  logger->Info("joining a cluster",
               {{"cluster-id", HexId(joined.cluster.id.value())},
                {"member-id", HexId(joined.cluster.self.value())},
                {"level", joined.level.ToString()}});
  return joined;
}

void Probe(HttpClient* client, std::vector<std::string> urls,
           std::function<void(const Status&)> done) {
  if (urls.empty()) return done(UnavailableError("no URL"));
  FetchRequest request;
  request.url = urls.back();
  request.path = "/version";
  request.headers = {{"Connection", "close"}};
  urls.pop_back();
  FetchWhole(client, std::move(request),
             [client, urls = std::move(urls),
              done = std::move(done)](const auto& response) {
               if (response.ok()) return done(Status::Ok());
               if (!urls.empty()) return Probe(client, urls, done);
               done(response.status());
             });
}

Status CheckNotStartedBefore(HttpClient* client, const JoinRequest& request) {
  const auto self = std::ranges::find(request.initial_cluster, request.name,
                                      &MemberRecord::name);
  if (self == request.initial_cluster.end()) return Status::Ok();
  const auto cluster =
      FetchCluster(client, request, kStartTimeout, Logger::Null());
  if (!cluster.ok()) return Status::Ok();
  for (const MemberRecord& member : cluster->members) {
    if (member.id == self->id && !member.client_urls.empty()) {
      return FailedPreconditionError("member " + HexId(self->id.value()) +
                                     " has already been bootstrapped");
    }
  }
  return Status::Ok();
}

}  // namespace strata::peer
