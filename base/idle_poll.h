#ifndef STRATA_BASE_IDLE_POLL_H_
#define STRATA_BASE_IDLE_POLL_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/loop.h"

namespace strata {

// Keeps processors awake for a while after there was work. A processor that
// falls asleep while a thread waits for the disk or a client takes long to come
// back, in a virtual machine as long as the disk; on one that polls, the thread
// goes on at once. What it costs is the processor time, and that alone: the
// threads that poll have the scheduler's idle class, so every other thread of
// the machine goes before them.
class IdlePoll {
 public:
  // Polls for `time` after each Touch, on `threads` threads; 0: not at all.
  IdlePoll(Duration time, int threads);
  ~IdlePoll();

  IdlePoll(const IdlePoll&) = delete;
  IdlePoll& operator=(const IdlePoll&) = delete;

  // There is work. Any thread; a system call only if they had ceased to poll.
  void Touch();

  // Threads that poll now. Any thread.
  int polling() const { return polling_; }

 private:
  void Run();
  // Until there has been no work for the time; the last that there was.
  uint32_t Poll();

  const Duration time_;
  std::atomic<uint32_t> work_ = 0;  // times that there was work; it wraps
  std::atomic<int> polling_ = 0;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;  // the last to be made
};

}  // namespace strata

#endif  // STRATA_BASE_IDLE_POLL_H_
