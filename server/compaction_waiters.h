#ifndef STRATA_SERVER_COMPACTION_WAITERS_H_
#define STRATA_SERVER_COMPACTION_WAITERS_H_

#include <functional>
#include <map>
#include <mutex>

#include "base/types.h"

namespace strata {

// Who waits for a compaction to have freed its space. Thread-safe.
class CompactionWaiters {
 public:
  // Calls `done` once a compaction at or above `revision` has finished: at
  // once, on the caller's thread, if one has.
  void Wait(Revision revision, std::function<void()> done);
  void Finished(Revision revision);

 private:
  std::mutex mutex_;
  Revision finished_;                                       // guarded by mutex_
  std::multimap<Revision, std::function<void()>> waiting_;  // guarded by mutex_
};

}  // namespace strata

#endif  // STRATA_SERVER_COMPACTION_WAITERS_H_
