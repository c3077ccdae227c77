#ifndef STRATA_RPC_PEER_IDENTITY_H_
#define STRATA_RPC_PEER_IDENTITY_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "rpc/http/handler.h"

// Who a member says it is, in headers, and whom it talks to: format.md. Values.
namespace strata::peer {

struct PeerIdentity {
  MemberId member = {};
  ClusterId cluster = {};
  std::string version = {};  // of the release we stand in for: "3.5.0"
  std::vector<std::string> peer_urls = {};

  friend bool operator==(const PeerIdentity&, const PeerIdentity&) = default;
};

// The oldest release whose members we talk to.
inline constexpr std::string_view kMinClusterVersion = "3.0.0";

// What is in every request to a member; `to` of a stream's.
std::vector<HttpRequest::Header> RequestHeaders(
    const PeerIdentity& self, std::optional<MemberId> to = std::nullopt);

// The refusal of a request whose method is another, whose release does not go
// with ours or whose cluster is another; nullopt: it is welcome.
std::optional<HttpResponse> CheckRequest(const PeerIdentity& self,
                                         const HttpRequest& request,
                                         std::string_view method);

// As Go's http.Error writes it: the text is a line.
HttpResponse TextResponse(const PeerIdentity& self, int status,
                          std::string_view text);
// 204, with the cluster's id.
HttpResponse DoneResponse(const PeerIdentity& self);

// "2026-11-21T18:59:07.253424854Z" of nanoseconds since 1970.
std::string UtcTime(int64_t nanoseconds);

// An id as paths and headers have it; nullopt if it is none.
std::optional<uint64_t> ParseHexId(std::string_view text);
// The value of X-PeerURLs and X-Server-From, if both are there.
struct Sender {
  MemberId member;
  std::vector<std::string> urls;
};
std::optional<Sender> SenderOf(const HttpRequest& request);

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_IDENTITY_H_
