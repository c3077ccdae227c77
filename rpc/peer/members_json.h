#ifndef STRATA_RPC_PEER_MEMBERS_JSON_H_
#define STRATA_RPC_PEER_MEMBERS_JSON_H_

#include <string>
#include <string_view>

#include "base/status.h"
#include "snapshot/snap_file.h"

namespace strata::peer {

// The members as /members answers them: a JSON list. Of the rest of Membership
// nothing is said.
std::string EncodeMembersJson(const Membership& membership);
StatusOr<Membership> DecodeMembersJson(std::string_view json);

// What /version answers: {"etcdserver":"3.5.0","etcdcluster":"3.5.0"}; a
// cluster version that is not known yet is "not_decided".
struct Versions {
  std::string server;
  std::string cluster;  // empty: not decided
};
std::string EncodeVersionsJson(const Versions& versions);
StatusOr<Versions> DecodeVersionsJson(std::string_view json);

}  // namespace strata::peer

#endif  // STRATA_RPC_PEER_MEMBERS_JSON_H_
