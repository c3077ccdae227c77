#ifndef STRATA_ENGINE_WATCH_HUB_H_
#define STRATA_ENGINE_WATCH_HUB_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/loop.h"
#include "base/types.h"
#include "engine/level.h"
#include "engine/requests.h"
#include "engine/store.h"
#include "engine/watch/event.h"

// Watching the store: etcd's watch without a wire.
//
// A watcher is a cursor in the store's changes, which are in revision order.
// One that has seen all is fed as changes are published: they are matched with
// all watchers by an index of keys and ranges, and each is encoded once. One
// that is behind (it began in the past, or its client is slow) is fed from the
// store, some changes at a time, together with all others that are as far.
//
// What a watcher is promised, as long as it is not cancelled:
//   ordered      its events come in the order of their revisions
//   unique       none comes twice
//   reliable     none in between is left out
//   atomic       all events of a revision come in one response
//   resumable    whoever begins at the revision after the last one seen, on any
//                stream and after any restart, goes on without a gap
//   bookmarkable a progress response of revision r says that all up to r came
// tests/watch/checker.h names what breaks them.
namespace strata {

// What a client calls one of the watchers on its stream.
using WatchId = TaggedInt<struct WatchIdTag, int64_t>;
// Stands for all watchers of a stream, or for none.
inline constexpr WatchId kNoWatchId(-1);

struct WatchRequest {
  // An empty key is "\0", the smallest.
  KeyRange range{};
  // The first revision whose events are wanted, past or future; 0: from now on.
  Revision start{};
  WatchId id{};  // 0: the smallest one not given out yet
  bool prev_kv = false;
  bool progress_notify = false;  // be told of the revision when nothing happens
  bool no_put = false;           // leave out such events
  bool no_delete = false;
  bool fragment = false;  // for who encodes the responses
};

// What a stream has to say to its client. A value.
struct WatchResponse {
  WatchId id{};
  // Of the store: for new events the last of them, else as it was looked at.
  Revision revision{};
  bool created = false;
  bool canceled = false;
  std::string cancel_reason = {};
  // The first revision that can be watched, where that is why it is cancelled.
  Revision compact_revision{};
  // Empty, and nothing of the above: progress.
  std::vector<std::shared_ptr<const WatchEvent>> events = {};
  bool prev_kv = false;   // as was asked for
  bool fragment = false;  // as was asked for
};

// The watchers of one client. Any thread; calls on one stream, one at a time.
//
// Nothing is queued for a client but its responses to Watch and Cancel (its
// owner bounds them, by controls()) and numbers of events that all streams
// share; a stream that does not keep up goes on from the store.
class WatchStream {
 public:
  // Its watchers are gone when this returns.
  virtual ~WatchStream() = default;

  // Begins to watch. What came of it is the first that Next() has to say of it:
  // created, or created and canceled with a reason. Look at Next() after this
  // and the two below: they do not call `on_ready`.
  virtual void Watch(const WatchRequest& request) = 0;
  // Unknown ids are ignored, as etcd does.
  virtual void Cancel(WatchId id) = 0;
  // Asks for one progress response with kNoWatchId, once all watchers of the
  // stream have all that had been published at this call. Ignored, as by etcd,
  // if there is none or one begins in the future.
  virtual void RequestProgress() = 0;

  // What is to be sent next; nothing for now. Once it has said so, `on_ready`
  // is called when that changes.
  virtual std::optional<WatchResponse> Next() = 0;

  // Responses to Watch and Cancel that wait for Next().
  virtual size_t controls() const = 0;
};

// etcd's counters of its watches, under their names there.
struct WatchCounters {
  int64_t watch_stream_total = 0;    // open streams
  int64_t watcher_total = 0;         // watchers
  int64_t slow_watcher_total = 0;    // of them behind
  int64_t pending_events_total = 0;  // matched and not yet taken by Next()
  uint64_t events_total = 0;         // taken by Next() since the start
};

struct WatchHubOptions {
  Level level = Level::V3_5();
  // Between progress responses to a watcher that wants them, and up to a tenth
  // more, so that they do not all come at once.
  Duration progress_interval = std::chrono::minutes(10);
  uint64_t random_seed = 1;
};

// All watchers of a store. Thread-safe.
class WatchHub {
 public:
  // Feeds on `pump`. All outlive the hub.
  static std::unique_ptr<WatchHub> New(Store* store, Loop* pump,
                                       const WatchHubOptions& options,
                                       Logger* logger);
  // Waits for what runs on the pump. REQUIRES: no stream is left
  virtual ~WatchHub() = default;

  // `on_ready` is called on the pump, one at a time, and perhaps once more
  // while or after the stream is destroyed: bind it to what knows that it is
  // gone.
  virtual std::unique_ptr<WatchStream> NewStream(
      std::function<void()> on_ready) = 0;

  // Readers of the store may see new changes. Costs next to nothing if there
  // are no watchers, and wakes the pump at most once until it has run.
  virtual void Published() = 0;

  virtual WatchCounters counters() const = 0;
};

}  // namespace strata

#endif  // STRATA_ENGINE_WATCH_HUB_H_
