#ifndef STRATA_SERVER_COMMAND_H_
#define STRATA_SERVER_COMMAND_H_

#include <string>
#include <variant>

#include "base/status.h"
#include "raft/types.h"
#include "rpc/proto/raft_internal.pb.h"

namespace strata {

// What a log entry asks for. std::monostate: the empty entry of a new leader.
using Command = std::variant<std::monostate, raft::ConfChange,
                             etcdserverpb::InternalRaftRequest>;

// Decodes an entry as etcd does: a normal entry that is no InternalRaftRequest
// is a bare v2 request. DataLoss, naming the entry, if it is neither.
StatusOr<Command> DecodeCommand(const raft::Entry& entry);
// The same for entry after entry: what *command was is overwritten.
Status DecodeCommand(const raft::Entry& entry, Command* command);

// OK if this version can apply the command; otherwise Unimplemented, naming the
// entry and what it needs. Asked for a whole log before anything is changed.
Status CheckCommand(const Command& command, LogIndex index);

// The v2 request by which members up to etcd 3.5 announce their name and client
// URLs, or the cluster version.
struct V2Put {
  enum class Kind { kMemberAttributes, kClusterVersion };
  Kind kind;
  MemberId member;    // kMemberAttributes
  std::string value;  // JSON {"name":..,"clientURLs":[..]}, or the version
};
StatusOr<V2Put> ParseV2Put(const etcdserverpb::Request& request);

}  // namespace strata

#endif  // STRATA_SERVER_COMMAND_H_
