#include "server/compaction_waiters.h"

#include <algorithm>
#include <utility>

namespace strata {

void CompactionWaiters::Wait(Revision revision, std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    if (finished_ < revision) {
      waiting_.emplace(revision, std::move(done));
      return;
    }
  }
  done();
}

void CompactionWaiters::Finished(Revision revision) {
  std::multimap<Revision, std::function<void()>> ready;
  {
    const std::lock_guard lock(mutex_);
    finished_ = std::max(finished_, revision);
    while (!waiting_.empty() && waiting_.begin()->first <= finished_) {
      ready.insert(waiting_.extract(waiting_.begin()));
    }
  }
  for (auto& [at, done] : ready) done();
}

}  // namespace strata
