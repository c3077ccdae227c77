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

// Comma-separated URLs as etcd takes them: a scheme, a host and a port, nothing
// behind. https is refused: there is no TLS yet; so are unix sockets.
StatusOr<std::vector<std::string>> ParseUrls(std::string_view text);

// "127.0.0.1:2379" of "http://localhost:2379". A listener needs an address, not
// a name, but for localhost.
StatusOr<std::string> ListenAddress(std::string_view url);

// --auto-compaction-mode and -retention: a plain number is hours, or revisions.
StatusOr<AutoCompaction> ParseCompaction(std::string_view mode,
                                         std::string_view retention);

// "a,b" -> {"a", "b"}
std::vector<std::string> SplitCommas(std::string_view text);

// The one of `names` with the fewest edits from `name`; empty if none is near.
std::string Nearest(std::string_view name,
                    const std::vector<std::string>& names);

}  // namespace strata

#endif  // STRATA_CMD_DAEMON_VALUES_H_
