#ifndef STRATA_SERVER_IDENTITY_H_
#define STRATA_SERVER_IDENTITY_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "snapshot/snap_file.h"

namespace strata {

// Ids as etcd makes them for a cluster that is started from its flags, so that
// the same flags give the same ids. Pure functions.

// The first 8 bytes, big-endian, of SHA-1 over the sorted peer URLs and the
// cluster token.
MemberId MakeMemberId(std::vector<std::string> peer_urls,
                      std::string_view cluster_token);

// The same over the sorted member ids, 8 bytes big-endian each.
ClusterId MakeClusterId(std::vector<MemberId> members);

// Reads --initial-cluster ("a=http://h:2380,b=http://i:2380"; a name may stand
// more than once, with one URL each) into members with their ids, sorted by
// name. InvalidArgument says what is wrong with it.
StatusOr<std::vector<MemberRecord>> ParseInitialCluster(
    std::string_view text, std::string_view cluster_token);

// Finds the member called `name` and checks that its URLs are those it
// advertises, in etcd's words.
StatusOr<MemberRecord> FindLocalMember(
    const std::vector<MemberRecord>& members, std::string_view name,
    std::vector<std::string> advertise_peer_urls);

}  // namespace strata

#endif  // STRATA_SERVER_IDENTITY_H_
