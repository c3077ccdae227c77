#ifndef STRATA_RAFT_ROLE_H_
#define STRATA_RAFT_ROLE_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "base/types.h"
#include "raft/progress.h"
#include "raft/read_index.h"

// What a member knows in one of its roles only (paper 5.1, figure 4). It
// changes its role by becoming another of these: a follower has no progress to
// be wrong about. Values of the Raft that holds them, on its thread.
namespace strata::raft {

struct Follower {
  MemberId leader = {};  // 0: unknown
};

struct Candidate {
  bool pre = false;  // asks whether it would win; its term has not changed
  std::vector<std::pair<MemberId, bool>> votes = {};  // who answered, and how
};

// A leader's entries that are not yet committed, by batches.
class Uncommitted {
 public:
  void Add(LogIndex last, uint64_t bytes) {
    batches_.emplace_back(last, bytes);
    bytes_ += bytes;
  }
  void CommittedTo(LogIndex index) {
    while (!batches_.empty() && batches_.front().first <= index) {
      bytes_ -= batches_.front().second;
      batches_.pop_front();
    }
  }
  uint64_t bytes() const { return bytes_; }

 private:
  std::deque<std::pair<LogIndex, uint64_t>> batches_;
  uint64_t bytes_ = 0;
};

struct Peer {
  MemberId id = {};
  Progress progress;
};

struct Leader {
  // All members but this one, by id.
  std::vector<Peer> peers = {};
  // No configuration change may be appended before this one is applied.
  LogIndex pending_conf_index = {};
  MemberId transferee = {};  // 0: none
  // It has no vote any more, and leads until this is committed; 0: it has.
  LogIndex retire_at = {};
  uint32_t heartbeat_elapsed = 0;
  Uncommitted uncommitted = {};
  ReadRounds reads = {};

  Peer* Find(MemberId id) {
    auto at = std::lower_bound(
        peers.begin(), peers.end(), id,
        [](const Peer& peer, MemberId wanted) { return peer.id < wanted; });
    return at != peers.end() && at->id == id ? &*at : nullptr;
  }
  const Peer* Find(MemberId id) const {
    return const_cast<Leader*>(this)->Find(id);
  }
};

using Role = std::variant<Follower, Candidate, Leader>;

}  // namespace strata::raft

#endif  // STRATA_RAFT_ROLE_H_
