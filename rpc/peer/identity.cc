#include "rpc/peer/identity.h"

#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include "base/bytes.h"
#include "base/strings.h"

namespace strata::peer {
namespace {

constexpr std::string_view kClusterHeader = "X-Etcd-Cluster-ID";
constexpr std::string_view kNoVersion = "2.0.0";  // etcd 2.0 says nothing

// major.minor; {0, 0} if it is no version.
std::pair<int, int> MajorMinor(std::string_view version) {
  std::pair<int, int> result;
  const char* const end = version.data() + version.size();
  const auto major = std::from_chars(version.data(), end, result.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') {
    return {};
  }
  const auto minor = std::from_chars(major.ptr + 1, end, result.second);
  return minor.ec == std::errc() ? result : std::pair<int, int>{};
}

std::pair<int, int> VersionIn(const HttpRequest& request,
                              std::string_view header) {
  const std::string* const value = request.Find(header);
  return MajorMinor(value == nullptr || value->empty() ? kNoVersion : *value);
}

}  // namespace

std::vector<HttpRequest::Header> RequestHeaders(const PeerIdentity& self,
                                                std::optional<MemberId> to) {
  std::vector<HttpRequest::Header> headers = {
      {"X-Server-From", HexId(self.member.value())},
      {"X-Server-Version", self.version},
      {"X-Min-Cluster-Version", std::string(kMinClusterVersion)},
      {std::string(kClusterHeader), HexId(self.cluster.value())}};
  if (to.has_value()) headers.emplace_back("X-Raft-To", HexId(to->value()));
  if (!self.peer_urls.empty()) {
    headers.emplace_back("X-PeerURLs", JoinCommas(self.peer_urls));
  }
  return headers;
}

std::optional<HttpResponse> CheckRequest(const PeerIdentity& self,
                                         const HttpRequest& request,
                                         std::string_view method) {
  if (request.method != method) {
    HttpResponse refusal = TextResponse(self, 405, "Method Not Allowed");
    refusal.headers.emplace_back("Allow", std::string(method));
    return refusal;
  }
  if (VersionIn(request, "X-Server-Version") < MajorMinor(kMinClusterVersion) ||
      VersionIn(request, "X-Min-Cluster-Version") > MajorMinor(self.version)) {
    return TextResponse(self, 412, "incompatible version");
  }
  const std::string* const cluster = request.Find(kClusterHeader);
  if (cluster == nullptr || *cluster != HexId(self.cluster.value())) {
    return TextResponse(self, 412, "cluster ID mismatch");
  }
  return std::nullopt;
}

HttpResponse TextResponse(const PeerIdentity& self, int status,
                          std::string_view text) {
  return {
      .status = status,
      .headers = {{"Content-Type", "text/plain; charset=utf-8"},
                  {"X-Content-Type-Options", "nosniff"},
                  {"X-Server-Version", self.version},
                  {std::string(kClusterHeader), HexId(self.cluster.value())}},
      .body = std::string(text) + "\n"};
}

HttpResponse DoneResponse(const PeerIdentity& self) {
  return {
      .status = 204,
      .headers = {{std::string(kClusterHeader), HexId(self.cluster.value())}},
      .body = ""};
}

std::string UtcTime(int64_t nanoseconds) {
  constexpr int64_t kSecond = 1'000'000'000;
  const auto seconds = static_cast<time_t>(nanoseconds / kSecond);
  struct tm parts = {};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text;
  const size_t length =
      strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string fraction = std::to_string(kSecond + nanoseconds % kSecond);
  fraction[0] = '.';
  return std::string(text.data(), length) + fraction + "Z";
}

std::optional<uint64_t> ParseHexId(std::string_view text) {
  uint64_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, id, 16);
  if (error != std::errc() || parsed != end) return std::nullopt;
  return id;
}

std::optional<Sender> SenderOf(const HttpRequest& request) {
  const std::string* const from = request.Find("X-Server-From");
  const std::string* const urls = request.Find("X-PeerURLs");
  if (from == nullptr || urls == nullptr || urls->empty()) return std::nullopt;
  const auto id = ParseHexId(*from);
  if (!id.has_value()) return std::nullopt;
  return Sender{MemberId(*id), SplitCommas(*urls)};
}

}  // namespace strata::peer
