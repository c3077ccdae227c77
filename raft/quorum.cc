#include "raft/quorum.h"

#include "base/bytes.h"

namespace strata::raft {

MemberSet::MemberSet(std::vector<MemberId> members)
    : members_(std::move(members)) {
  std::sort(members_.begin(), members_.end());
  members_.erase(std::unique(members_.begin(), members_.end()), members_.end());
}

bool MemberSet::Contains(MemberId member) const {
  return std::binary_search(members_.begin(), members_.end(), member);
}

void MemberSet::Insert(MemberId member) {
  auto at = std::lower_bound(members_.begin(), members_.end(), member);
  if (at == members_.end() || *at != member) members_.insert(at, member);
}

void MemberSet::Erase(MemberId member) {
  auto at = std::lower_bound(members_.begin(), members_.end(), member);
  if (at != members_.end() && *at == member) members_.erase(at);
}

size_t MemberSet::Difference(const MemberSet& a, const MemberSet& b) {
  std::vector<MemberId> different;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(),
                                std::back_inserter(different));
  return different.size();
}

std::string ToString(const MemberSet& members) {
  std::string text = "(";
  for (MemberId member : members) {
    if (text.size() > 1) text += ' ';
    text += HexId(member.value());
  }
  return text + ")";
}

MemberSet JointVoters::All() const {
  MemberSet all = incoming;
  for (MemberId member : outgoing) all.Insert(member);
  return all;
}

}  // namespace strata::raft
