#ifndef STRATA_RPC_EVENT_READER_H_
#define STRATA_RPC_EVENT_READER_H_

#include <functional>
#include <memory>

#include "base/loop.h"
#include "engine/watch_hub.h"

namespace strata {

// One watcher, read on a loop: for services that wait for keys to change.
// Bound to the loop.
class EventReader {
 public:
  // Nullptr: the watcher was cancelled, for its revision has been compacted.
  using Read = std::function<void(const WatchEvent* event, Revision revision)>;

  EventReader(WatchHub* hub, Loop* loop);
  ~EventReader();
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;

  // Calls `read` on the loop for each event, until it is stopped (by `read`
  // too) or has been cancelled. Ends what was read before.
  void Start(const WatchRequest& request, Read read);
  void Stop();

 private:
  struct Session;

  WatchHub* const hub_;
  Loop* const loop_;
  std::shared_ptr<Session> session_;
};

}  // namespace strata

#endif  // STRATA_RPC_EVENT_READER_H_
