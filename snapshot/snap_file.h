#ifndef STRATA_SNAPSHOT_SNAP_FILE_H_
#define STRATA_SNAPSHOT_SNAP_FILE_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/logger.h"
#include "base/status.h"
#include "raft/types.h"

namespace strata {

// A raft snapshot as etcd keeps it: `member/snap/%016x-%016x.snap` (term,
// index), a CRC-checked message whose data is, up to etcd 3.5, the v2 store as
// JSON: the members and the cluster version live there.
struct RaftSnapshot {
  LogIndex index = {};
  Term term = {};
  raft::ConfState conf_state = {};
  std::string data = {};

  friend bool operator==(const RaftSnapshot&, const RaftSnapshot&) = default;
};

// Writes the file so that it is there whole or not at all, and durably.
Status WriteSnapFile(Env* env, const std::string& directory,
                     const RaftSnapshot& snapshot);

// DataLoss, naming the file, if it is damaged.
StatusOr<RaftSnapshot> ReadSnapFile(Env* env, const std::string& path);

struct DamagedSnapFile {
  std::string path = {};
  Status error = {};  // names the file
};

// The newest good one of those `acceptable` says may be used (those named by a
// record of the log); nullopt if there is none. Damaged ones that are newer go
// to `damaged`; nothing is changed.
StatusOr<std::optional<RaftSnapshot>> LoadNewestSnapFile(
    Env* env, const std::string& directory,
    const std::function<bool(Term, LogIndex)>& acceptable,
    std::vector<DamagedSnapFile>* damaged);

// Renames them to `.broken`, as etcd does, and says so in the log: once it is
// known that the others are enough.
Status SetAside(Env* env, const std::vector<DamagedSnapFile>& damaged,
                Logger* logger);

// Removes all but the newest `keep`; 0: none.
Status RemoveOldSnapFiles(Env* env, const std::string& directory,
                          uint64_t keep);

// One member as the v2 store and the members table know it.
struct MemberRecord {
  MemberId id = {};
  std::vector<std::string> peer_urls = {};
  bool is_learner = false;
  std::string name = {};  // empty until it has started
  std::vector<std::string> client_urls = {};

  friend bool operator==(const MemberRecord&, const MemberRecord&) = default;
};

// What a `.snap` file says of the cluster.
struct Membership {
  std::map<MemberId, MemberRecord> members = {};
  std::vector<MemberId> removed = {};
  std::string cluster_version = {};  // "3.4.0"; empty while unknown

  friend bool operator==(const Membership&, const Membership&) = default;
};

// The v2 store JSON that etcd 3.4 and 3.5 start from, and back; `index` becomes
// the store's own clock. The store's memory of its past events is left empty.
// Decoding takes what etcd writes; keys it does not know (a v2 user's) are
// FailedPrecondition: they would be lost.
std::string EncodeV2Store(const Membership& membership, LogIndex index);
StatusOr<Membership> DecodeV2Store(std::string_view json);

// The JSON of the members table (key: the id in hexadecimal) and of a
// ConfChange's context, as etcd writes it. Decoding leaves out what is not
// there (the attributes of a member alone are fine) and passes over unknown
// fields.
std::string EncodeMemberJson(const MemberRecord& member);
StatusOr<MemberRecord> DecodeMemberJson(std::string_view json);
// The part a member announces of itself: {"name":..,"clientURLs":[..]}.
// DecodeMemberJson reads it too.
std::string EncodeAttributesJson(const std::string& name,
                                 const std::vector<std::string>& client_urls);

}  // namespace strata

#endif  // STRATA_SNAPSHOT_SNAP_FILE_H_
