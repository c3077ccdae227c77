#ifndef STRATA_RAFT_QUORUM_H_
#define STRATA_RAFT_QUORUM_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"

// Arithmetic of majorities (paper 5.2, 5.4.2; of two at once, thesis 4.3).
// Values; nothing here knows of terms or logs.
namespace strata::raft {

// Members, each once, in the order of their ids.
class MemberSet {
 public:
  MemberSet() = default;
  MemberSet(std::initializer_list<MemberId> members)
      : MemberSet(std::vector<MemberId>(members)) {}
  explicit MemberSet(std::vector<MemberId> members);

  bool Contains(MemberId member) const;
  void Insert(MemberId member);
  void Erase(MemberId member);
  bool empty() const { return members_.empty(); }
  size_t size() const { return members_.size(); }
  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }
  const std::vector<MemberId>& members() const { return members_; }

  // How many are in exactly one of the two.
  static size_t Difference(const MemberSet& a, const MemberSet& b);

  friend bool operator==(const MemberSet&, const MemberSet&) = default;

 private:
  std::vector<MemberId> members_;
};

// "(1 2 3)", in hexadecimal.
std::string ToString(const MemberSet& members);

enum class VoteResult { kPending, kLost, kWon };

// The largest number that a majority of `voters` has reached, where
// reached(member) is a uint64_t. Nobody agrees to everything: with no voters it
// is the greatest of all numbers, so that it does not count in a joint quorum.
// Allocates nothing up to 16 voters.
template <typename Reached>
uint64_t MajorityValue(const MemberSet& voters, const Reached& reached) {
  const size_t n = voters.size();
  if (n == 0) return std::numeric_limits<uint64_t>::max();
  std::array<uint64_t, 16> few;
  std::vector<uint64_t> many(n > few.size() ? n : 0);
  uint64_t* const values = many.empty() ? few.data() : many.data();
  size_t count = 0;
  for (MemberId member : voters) values[count++] = reached(member);
  // n/2+1 of them are at or above the one at n/2 from the top.
  uint64_t* const middle = values + (n - 1) / 2;
  std::nth_element(values, middle, values + n);
  return *middle;
}

// vote(member) is an std::optional<bool>: nothing if not yet heard of. No
// voters have won.
template <typename Vote>
VoteResult MajorityVote(const MemberSet& voters, const Vote& vote) {
  const size_t needed = voters.empty() ? 0 : voters.size() / 2 + 1;
  size_t yes = 0;
  size_t open = 0;
  for (MemberId member : voters) {
    const std::optional<bool> said = vote(member);
    if (!said.has_value()) ++open;
    if (said.value_or(false)) ++yes;
  }
  if (yes >= needed) return VoteResult::kWon;
  return yes + open >= needed ? VoteResult::kPending : VoteResult::kLost;
}

// One majority, or while members change both of two.
struct JointVoters {
  MemberSet incoming = {};
  MemberSet outgoing = {};  // empty: not joint

  bool Contains(MemberId member) const {
    return incoming.Contains(member) || outgoing.Contains(member);
  }
  // All voters, each once.
  MemberSet All() const;

  template <typename Reached>
  uint64_t Value(const Reached& reached) const {
    return std::min(MajorityValue(incoming, reached),
                    MajorityValue(outgoing, reached));
  }
  template <typename Vote>
  VoteResult Result(const Vote& vote) const {
    const VoteResult a = MajorityVote(incoming, vote);
    const VoteResult b = MajorityVote(outgoing, vote);
    if (a == b) return a;
    const bool lost = a == VoteResult::kLost || b == VoteResult::kLost;
    return lost ? VoteResult::kLost : VoteResult::kPending;
  }

  friend bool operator==(const JointVoters&, const JointVoters&) = default;
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_QUORUM_H_
