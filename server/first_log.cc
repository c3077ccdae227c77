#include "server/first_log.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/wire.h"
#include "server/cluster.h"

namespace strata {
namespace {

// etcdserverpb.Metadata.
constexpr uint32_t kNodeId = 1;
constexpr uint32_t kClusterId = 2;

raft::Entry MakeEntry(const raft::ConfChange& change, LogIndex index,
                      Term term) {
  return {.term = term,
          .index = index,
          .type = raft::EntryType::kConfChange,
          .data = raft::EncodeConfChange(change)};
}

}  // namespace

std::string EncodeLogOwner(const LogOwner& owner) {
  std::string bytes;
  wire::AppendUint(&bytes, kNodeId, owner.member.value());
  wire::AppendUint(&bytes, kClusterId, owner.cluster.value());
  return bytes;
}

StatusOr<LogOwner> DecodeLogOwner(std::string_view bytes) {
  LogOwner owner;
  wire::Reader reader(bytes);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == kNodeId) owner.member = MemberId(field.varint);
    if (field.number == kClusterId) owner.cluster = ClusterId(field.varint);
  }
  if (!reader.ok() || owner.member == MemberId()) {
    return DataLossError("the log's metadata record is damaged");
  }
  return owner;
}

FirstLog MakeFirstLog(std::vector<MemberRecord> members) {
  std::ranges::sort(members, {}, &MemberRecord::id);
  FirstLog log;
  LogIndex index(0);
  for (const MemberRecord& member : members) {
    log.entries.push_back(MakeEntry({.type = raft::ConfChangeType::kAddNode,
                                     .node = member.id,
                                     .context = EncodeMemberJson(member)},
                                    ++index, Term(1)));
  }
  log.hard_state = {.term = Term(1), .vote = MemberId(), .commit = index};
  return log;
}

StatusOr<std::vector<raft::Entry>> RemoveOthers(const Membership& membership,
                                                MemberId self, LogIndex last,
                                                Term term) {
  const auto here = membership.members.find(self);
  if (here == membership.members.end()) {
    return FailedPreconditionError(
        "member " + HexId(self.value()) +
        " is no member of the cluster in its log: it cannot be the one that is "
        "left");
  }
  std::vector<raft::Entry> entries;
  // The voter first: a cluster is never without one.
  if (here->second.is_learner) {
    entries.push_back(MakeEntry({.type = raft::ConfChangeType::kAddNode,
                                 .node = self,
                                 .context = EncodePromotion(self)},
                                ++last, term));
  }
  for (const auto& [id, member] : membership.members) {
    if (id == self) continue;
    entries.push_back(MakeEntry(
        {.type = raft::ConfChangeType::kRemoveNode, .node = id}, ++last, term));
  }
  return entries;
}

}  // namespace strata
