#ifndef STRATA_SERVER_CORRUPTION_CHECKER_H_
#define STRATA_SERVER_CORRUPTION_CHECKER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/types.h"
#include "engine/store.h"

namespace strata {

// What a member tells of its keys, up to a revision that it was asked for.
struct MemberHash {
  uint32_t hash = 0;
  Revision current = {};  // the member's own
  Revision compact_revision = {};
};

struct CorruptionCheckOptions {
  // Between checks by the leader; 0: none (--corrupt-check-time).
  Duration period = {};
  // Whether it looks for new compactions, and how often
  // (--compact-hash-check-time).
  bool compactions = false;
  Duration compaction_period = std::chrono::minutes(1);
};

// While this member leads it compares the hashes of all members' keys, and
// raises the CORRUPT alarm for a member whose keys differ, as etcd does.
//
// By time: a member is wrong that is ahead of the leader, or has other keys
// than the leader with the same compactions. After a compaction: the majority
// is right; if there is none, the alarm names nobody.
//
// Start and Stop once; all else happens on the loop and the worker.
class CorruptionChecker {
 public:
  struct World {
    MemberId self = {};
    Loop* loop = nullptr;
    Loop* worker = nullptr;  // where hashes are computed, which takes long
    Store* store = nullptr;
    Logger* logger = nullptr;
    std::function<bool()> leads = {};
    std::function<std::vector<MemberId>()> others = {};
    // Whether there is a hash of the revision of a compaction (level.h).
    bool hashes_compact_revision = true;
    // Asks a member; the answer comes on any thread, once.
    std::function<void(MemberId, Revision,
                       std::function<void(StatusOr<MemberHash>)>)>
        ask = {};
    std::function<void(std::function<void(const Status&)>)> read_index = {};
    std::function<void(MemberId)> raise = {};  // 0: it is not known which
  };

  CorruptionChecker(const CorruptionCheckOptions& options, World world);
  ~CorruptionChecker();

  void Start();  // on the loop
  // Nothing of it runs any more. Blocks; not on the loop or the worker.
  void Stop();

 private:
  class State;

  const std::shared_ptr<State> state_;
};

}  // namespace strata

#endif  // STRATA_SERVER_CORRUPTION_CHECKER_H_
