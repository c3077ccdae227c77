#ifndef STRATA_RAFT_READ_INDEX_H_
#define STRATA_RAFT_READ_INDEX_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

// Reads without a log entry (thesis 6.4). A reader asks its leader for the
// commit index; the leader answers as soon as a quorum has confirmed, in a
// round of heartbeats that began after the question, that it still leads. Then
// the reader waits until it has applied that much. Values, each used by one
// thread; no messages here.
namespace strata::raft {

// The caller's name for a read.
using ReadId = TaggedInt<struct ReadIdTag, uint64_t>;

struct SafeRead {
  ReadId id = {};
  LogIndex index = {};  // read when this much is applied

  friend bool operator==(const SafeRead&, const SafeRead&) = default;
};

// Eight bytes that name a round on the wire, and back; 0 of other bytes.
std::string EncodeRound(uint64_t round);
uint64_t DecodeRound(std::string_view context);

// The leader's side: rounds of heartbeats. All requests that wait when a round
// begins share it. Rounds are numbered from 1 in each leader's reign, so an
// answer to an old round can never confirm a new one.
class ReadRounds {
 public:
  struct Request {
    MemberId from;
    std::string context;  // the reader's
    LogIndex index = {};  // set when its round began
  };

  // False if too many wait.
  bool Add(MemberId from, std::string context);
  // There are requests that no round has taken, and one more round may begin.
  bool CanStart() const;
  // Gives the new round's number. `index` is the commit index now.
  uint64_t Start(LogIndex index);
  // The newest round that is not confirmed; 0 if all are.
  uint64_t Newest() const;
  // The number of the last round that began.
  uint64_t last() const { return last_; }
  // A quorum has answered this round or a later one: the requests of it and of
  // all before it. No allocation if there are none.
  std::vector<Request> Confirm(uint64_t round);

 private:
  struct Round {
    uint64_t number = 0;
    std::vector<Request> requests;
  };
  uint64_t last_ = 0;
  size_t pending_ = 0;
  std::vector<Request> waiting_;
  std::deque<Round> rounds_;
};

// The reader's side, whatever the member's role: reads that came between two
// outputs go as one request, which is asked again when its answer does not come
// or the leader changes; any answer to it is good, for it was asked before.
class LocalReads {
 public:
  // Requests are numbered from `first` on. It must be one that no earlier life
  // of this member used: an old answer would let a new read see too little.
  explicit LocalReads(uint64_t first) : next_(first) {}

  // False if too many wait.
  bool Add(ReadId id);
  // Closes the request that gathers, and gives the contexts to ask for now.
  void TakeUnasked(std::vector<std::string>* contexts);
  bool HasUnasked() const { return unasked_ > 0 || !gathering_.empty(); }
  // All are to be asked again: of a new leader, or because time passed.
  void AskAgain();
  // The reads that asked with `context`, once.
  void Answer(std::string_view context, LogIndex index,
              std::vector<SafeRead>* reads);
  // A tick; those that have waited for `limit` are given up, and those that
  // have waited for a multiple of `again` are asked again.
  void Tick(uint32_t again, uint32_t limit, std::vector<ReadId>* lost);

 private:
  struct Request {
    uint64_t number = 0;
    uint32_t age = 0;
    bool asked = false;
    std::vector<ReadId> ids;
  };
  uint64_t next_;
  size_t count_ = 0;    // of reads
  size_t unasked_ = 0;  // of requests
  uint32_t gathering_age_ = 0;
  std::vector<ReadId> gathering_;
  std::deque<Request> requests_;
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_READ_INDEX_H_
