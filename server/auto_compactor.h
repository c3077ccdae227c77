#ifndef STRATA_SERVER_AUTO_COMPACTOR_H_
#define STRATA_SERVER_AUTO_COMPACTOR_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "base/logger.h"
#include "base/loop.h"
#include "base/status.h"
#include "base/types.h"

namespace strata {

// What to keep of the history, without being asked: the revisions of the last
// `period`, or the last `revisions`. Neither (both zero): all.
struct AutoCompaction {
  Duration period = Duration::zero();
  int64_t revisions = 0;

  bool enabled() const { return period > Duration::zero() || revisions > 0; }
};

// Compacts as etcd's automatic compaction does.
//
// Periodic: a revision is noted ten times in each hour (or in each period, if
// that is shorter); once a first period has passed, the oldest note, which is a
// period old, is compacted to every hour (or period). By revision: every five
// minutes, up to so many revisions ago. What did not work is tried again at the
// next note. Works on the loop, from Start on until it is destroyed.
class AutoCompactor {
 public:
  // `revision` tells the current one; `compact` proposes a compaction.
  struct Store {
    std::function<Revision()> revision;
    std::function<void(Revision, std::function<void(Status)> done)> compact;
  };

  AutoCompactor(const AutoCompaction& keep, Loop* loop, Store store,
                Logger* logger);
  ~AutoCompactor();
  AutoCompactor(const AutoCompactor&) = delete;
  AutoCompactor& operator=(const AutoCompactor&) = delete;

  void Start();

 private:
  // Timers find the compactor through it, or find it gone.
  struct Anchor {
    std::mutex mutex;
    AutoCompactor* compactor;  // guarded by mutex
  };

  // How often a revision is noted, and the history looked at.
  Duration Step() const;
  void Schedule();
  void Look();
  void LookAtNotes();
  void Compact(Revision revision);

  const AutoCompaction keep_;
  Loop* const loop_;
  const Store store_;
  Logger* const logger_;
  const std::shared_ptr<Anchor> anchor_;

  // Bound to loop_, from Start on.
  std::deque<Revision> notes_;  // a period's, the oldest first
  Time last_success_{};
  Duration wait_{};  // before the next
  Revision last_;
};

}  // namespace strata

#endif  // STRATA_SERVER_AUTO_COMPACTOR_H_
