#include "server/identity.h"

#include <openssl/sha.h>

#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "base/strings.h"

namespace strata {
namespace {

uint64_t Sha1Prefix(std::string_view bytes) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
       digest);
  return LoadBig64(reinterpret_cast<const char*>(digest));
}

// "name=url" of --initial-cluster.
Status AddPair(std::string_view pair,
               std::map<std::string, std::vector<std::string>>* urls) {
  size_t equals = pair.find('=');
  if (equals == std::string_view::npos || equals == 0 ||
      equals + 1 == pair.size()) {
    return InvalidArgumentError("initial-cluster: \"" + std::string(pair) +
                                "\" is not NAME=URL");
  }
  (*urls)[std::string(pair.substr(0, equals))].emplace_back(
      pair.substr(equals + 1));
  return Status::Ok();
}

}  // namespace

MemberId MakeMemberId(std::vector<std::string> peer_urls,
                      std::string_view cluster_token) {
  std::sort(peer_urls.begin(), peer_urls.end());
  std::string bytes;
  for (const std::string& url : peer_urls) bytes += url;
  bytes += cluster_token;
  return MemberId(Sha1Prefix(bytes));
}

ClusterId MakeClusterId(std::vector<MemberId> members) {
  std::sort(members.begin(), members.end());
  std::string bytes;
  for (MemberId id : members) AppendBig64(&bytes, id.value());
  return ClusterId(Sha1Prefix(bytes));
}

StatusOr<std::vector<MemberRecord>> ParseInitialCluster(
    std::string_view text, std::string_view cluster_token) {
  std::map<std::string, std::vector<std::string>> urls;
  while (!text.empty()) {
    size_t comma = text.find(',');
    RETURN_IF_ERROR(AddPair(text.substr(0, comma), &urls));
    text.remove_prefix(comma == std::string_view::npos ? text.size()
                                                       : comma + 1);
  }
  std::vector<MemberRecord> members;
  for (auto& [name, peer_urls] : urls) {
    std::sort(peer_urls.begin(), peer_urls.end());
    MemberRecord member;
    member.id = MakeMemberId(peer_urls, cluster_token);
    member.name = name;
    member.peer_urls = std::move(peer_urls);
    for (const MemberRecord& other : members) {
      if (other.id == member.id) {
        return InvalidArgumentError("initial-cluster: members " + other.name +
                                    " and " + name + " have the same URLs");
      }
    }
    members.push_back(std::move(member));
  }
  return members;
}

StatusOr<MemberRecord> FindLocalMember(
    const std::vector<MemberRecord>& members, std::string_view name,
    std::vector<std::string> advertise_peer_urls) {
  std::sort(advertise_peer_urls.begin(), advertise_peer_urls.end());
  for (const MemberRecord& member : members) {
    if (member.name != name) continue;
    if (member.peer_urls == advertise_peer_urls) return member;
    return InvalidArgumentError("--initial-cluster has " + member.name + "=" +
                                JoinCommas(member.peer_urls) +
                                " but --initial-advertise-peer-urls is " +
                                JoinCommas(advertise_peer_urls));
  }
  return InvalidArgumentError("couldn't find local name \"" +
                              std::string(name) +
                              "\" in the initial cluster configuration");
}

}  // namespace strata
