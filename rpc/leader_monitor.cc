#include "rpc/leader_monitor.h"

#include <mutex>
#include <utility>

namespace strata {

struct LeaderMonitor::State : std::enable_shared_from_this<State> {
  void Start() {
    loop->After(period, [self = shared_from_this()] { self->Look(); });
  }
  void Look() {
    const std::lock_guard lock(mutex);
    if (stopped) return;
    without = has_leader() ? 0 : without + 1;
    if (without == kTimeouts) lost();
    Start();
  }

  Loop* loop = nullptr;
  Duration period = {};
  std::function<bool()> has_leader;
  std::function<void()> lost;

  std::mutex mutex;
  int without = 0;       // guarded by mutex
  bool stopped = false;  // guarded by mutex
};

LeaderMonitor::LeaderMonitor(Loop* loop, Duration election_timeout,
                             std::function<bool()> has_leader,
                             std::function<void()> lost)
    : state_(std::make_shared<State>()) {
  state_->loop = loop;
  state_->period = election_timeout;
  state_->has_leader = std::move(has_leader);
  state_->lost = std::move(lost);
  state_->Start();
}

LeaderMonitor::~LeaderMonitor() {
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
}

}  // namespace strata
