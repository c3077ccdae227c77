#ifndef STRATA_RAFT_TRIO_TESTING_H_
#define STRATA_RAFT_TRIO_TESTING_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "raft/raft.h"
#include "raft/raft_testing.h"

namespace strata::raft {

// Three members in one thread that do nothing but raft: messages are handed
// over, disks are memory, what is committed is applied by saying so. The first
// leads. For what the core costs.
class Trio {
 public:
  Trio() {
    for (uint64_t i = 0; i < 3; ++i) {
      raft_.push_back(std::make_unique<Raft>(
          RaftOptions{.id = MemberId(i + 1), .random_seed = i},
          RaftStart{.conf_state = members_}, &disk_[i]));
    }
    leader()->Campaign();
    Settle();
    CHECK(leader()->is_leader());
  }

  Raft* leader() { return raft_[0].get(); }
  LogIndex applied(size_t i) const { return raft_[i]->log().applied(); }

  void Propose(uint64_t count, const std::string& data) {
    for (uint64_t i = 0; i < count; ++i) CHECK_OK(leader()->Propose(data));
  }

  // Until nobody has anything to do.
  void Settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (size_t i = 0; i < 3; ++i) busy = Pump(i) || busy;
    }
  }

 private:
  bool Pump(size_t i) {
    raft_[i]->TakeOutput(&output_);
    if (output_.empty()) return false;
    for (Message& message : output_.messages) {
      const size_t to = message.to.value() - 1;
      CHECK_OK(raft_[to]->Step(std::move(message)));
    }
    disk_[i].Append(std::move(output_.entries));
    if (output_.sequence != OutputSequence()) {
      raft_[i]->Persisted(output_.sequence);
    }
    if (!output_.committed.empty()) {
      raft_[i]->Applied(output_.committed.back().index);
      Compact(i);
    }
    return true;
  }

  // As a member does: a snapshot now and then, and some entries behind it stay.
  void Compact(size_t i) {
    const LogIndex before = disk_[i].NewestSnapshot().index;
    if (applied(i) < before + limits::kSnapshotCount) return;
    disk_[i].Save({.metadata = {.conf_state = members_,
                                .index = applied(i),
                                .term = *disk_[i].TermAt(applied(i))}});
    disk_[i].CompactTo(applied(i) - limits::kSnapshotCatchUpEntries);
  }

  const ConfState members_ = {
      .voters = {MemberId(1), MemberId(2), MemberId(3)}};
  MemoryStorage disk_[3];
  std::vector<std::unique_ptr<Raft>> raft_;
  Output output_;
};

}  // namespace strata::raft

#endif  // STRATA_RAFT_TRIO_TESTING_H_
