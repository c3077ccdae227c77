#ifndef STRATA_CMD_DAEMON_VALUES_H_
#define STRATA_CMD_DAEMON_VALUES_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "server/auto_compactor.h"

// The values that etcd's flags take, in Go's notation and with etcd's words for
// what is wrong.
namespace strata {

// "5s", "1h30m", "1.5ms", "0"; a number needs its unit.
StatusOr<Duration> ParseDuration(std::string_view text);

// Comma-separated URLs as etcd takes them: http or https with a host and a port
// and nothing behind, or unix or unixs with the path of a socket.
StatusOr<std::vector<std::string>> ParseUrls(std::string_view text);

// Where a URL has one listen.
struct ListenUrl {
  std::string url;
  std::string address;  // as rpc/net/listener.h takes it
  bool tls = false;
};
// A listener needs an IP address, not a name, but for localhost.
StatusOr<ListenUrl> ParseListenUrl(const std::string& url);
StatusOr<std::vector<ListenUrl>> ParseListenUrls(
    const std::vector<std::string>& urls);

// --auto-compaction-mode and -retention: a plain number is hours, or revisions.
StatusOr<AutoCompaction> ParseCompaction(std::string_view mode,
                                         std::string_view retention);

// The one of `names` with the fewest edits from `name`; empty if none is near.
std::string Nearest(std::string_view name,
                    const std::vector<std::string>& names);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_VALUES_H_
