#ifndef STRATA_ENGINE_WATCH_HUB_IMPL_H_
#define STRATA_ENGINE_WATCH_HUB_IMPL_H_

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "engine/watch/interest.h"
#include "engine/watch/window.h"
#include "engine/watch_hub.h"

namespace strata {

class Stream;

// One watcher. All of it is guarded by the hub's mutex.
//
// Synced: it takes events as the pump feeds them. Behind: it is in the hub's
// list of those, and is fed from the store. Either way it takes the numbers of
// events into `pending`, and Next() turns them into a response.
struct Watcher {
  Stream* stream = nullptr;
  WatchId id;
  Interest* interest = nullptr;
  size_t interest_slot = 0;
  bool prev_kv = false;
  bool no_put = false;
  bool no_delete = false;
  bool fragment = false;
  bool progress_notify = false;

  // No event has been sent since the last tick of the progress timer.
  bool quiet = true;
  bool behind = false;
  bool chosen = false;  // to be fed in this step
  bool fed = false;     // and what is pending came so
  size_t behind_slot = 0;
  // Behind: the first revision that it has not been matched with. Synced: it
  // has been with all that was fed, and wants nothing before this one.
  Revision next;

  std::vector<uint64_t> pending;  // numbers in the window
  Revision pending_from;          // the revision of the first of them
  Revision pending_header;        // what the response says is the revision
  // In the stream's list of those with something pending.
  Watcher* ready_before = nullptr;
  Watcher* ready_after = nullptr;

  bool Wants(const Change& change) const {
    return change.id.main >= next && !(change.tombstone ? no_delete : no_put);
  }
};

// Watchers in the order in which they became ready.
class ReadyList {
 public:
  bool empty() const { return first_ == nullptr; }
  Watcher* front() const { return first_; }
  void PushBack(Watcher* watcher);
  void Erase(Watcher* watcher);

 private:
  Watcher* first_ = nullptr;
  Watcher* last_ = nullptr;
};

// The WatchHub. The pump is the only one to feed; any thread begins, cancels
// and takes, under mutex_, which is never held while the store or a client is
// waited for.
//
// Files: hub.cc (streams and watchers), take.cc (what Next() says), pump.cc
// (feeding).
class WatchHubImpl final : public WatchHub {
 public:
  WatchHubImpl(Store* store, Loop* pump, const WatchHubOptions& options,
               Logger* logger);
  ~WatchHubImpl() override;

  std::unique_ptr<WatchStream> NewStream(
      std::function<void()> on_ready) override;
  void Published() override;
  WatchCounters counters() const override;

  // Aborts if what must hold does not. For tests.
  void Check() const;
  // What waits in the window. For tests.
  size_t window_bytes() const;

 private:
  class Handle;

  // What was posted finds the hub through it, or finds it gone.
  struct Anchor {
    std::mutex mutex;
    WatchHubImpl* hub;  // guarded by mutex
  };
  // What a chunk of changes has done: whom to tell, and what to read for them.
  struct Fed {
    std::vector<std::weak_ptr<Stream>> ready;
    std::vector<std::shared_ptr<const WatchEvent>> prev_wanted;
  };

  // --- hub.cc; all REQUIRE: mutex_ ---
  void Close(Stream* stream);
  void Watch(Stream* stream, const WatchRequest& request);
  void Cancel(Stream* stream, WatchId id);
  void RequestProgress(Stream* stream);
  Status CheckRequest(const Stream& stream, const KeyRange& range,
                      const WatchRequest& request) const;
  void AddWatcher(Stream* stream, const KeyRange& range,
                  const WatchRequest& request, Revision now);
  void RemoveWatcher(Watcher* watcher);
  void Wake();   // has the feeding begin
  void Sleep();  // there are no watchers
  void AddBehind(Watcher* watcher);
  void RemoveBehind(Watcher* watcher);

  // --- take.cc; all REQUIRE: mutex_ ---
  std::optional<WatchResponse> Next(Stream* stream);
  // The watcher has nothing pending any more.
  void Emptied(Watcher* watcher);
  std::optional<WatchResponse> TakeEvents(Watcher* watcher);
  std::optional<WatchResponse> TakeProgress(Stream* stream);
  bool MayTellProgress(const Stream& stream) const;
  void ReleasePending(Watcher* watcher);
  // Forgets what is pending: it will be read from the store.
  void FallBehind(Watcher* watcher);

  // --- pump.cc ---
  void Post();  // any thread
  static void RunPosted(const std::shared_ptr<Anchor>& anchor);
  void Run();
  bool FeedNew();
  bool FeedBehind();
  void Finish(Fed* fed);
  static void OnProgressTimer(const std::shared_ptr<Anchor>& anchor,
                              const std::weak_ptr<Stream>& weak);
  void MarkProgress(Stream* stream);
  // All below REQUIRE: mutex_
  void LeaveBehind();  // REQUIRES: mutex_
  void DeliverNew(const Change& change, Fed* fed);
  void DeliverBehind(const ChangeList& list, Revision from, Revision now,
                     Fed* fed);
  // Gives the change to each watcher of its key that `takes(watcher)` it.
  template <typename Takes>
  void Match(const Change& change, bool live, Revision header,
             const Takes& takes, Fed* fed);
  std::vector<Watcher*> ChooseBehind(Revision from, Revision end) const;
  void RefuseCompacted(Fed* fed);
  void RefuseDamaged(const Status& status,
                     const std::vector<Watcher*>& watchers, Fed* fed);
  std::vector<Watcher*> Watchers() const;
  // Has the stream's owner told that there is something, if it waits.
  void Touch(Stream* stream, Fed* fed);
  void TouchProgress(Fed* fed);
  void SetProgressTimer(Stream* stream);

  // Constant after construction.
  Store* const store_;
  Loop* const pump_;
  const WatchHubOptions options_;
  Logger* const logger_;
  const std::shared_ptr<Anchor> anchor_;

  std::atomic<bool> awake_{false};   // there are watchers
  std::atomic<bool> posted_{false};  // Run is

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  Random random_;
  InterestIndex interests_;
  EventWindow window_;
  // What synced watchers have been matched with; while awake.
  Revision fed_;
  std::vector<Watcher*> behind_;
  std::set<std::shared_ptr<Stream>> streams_;
  // Streams of which a progress response was asked for.
  std::set<Stream*> progress_wanted_;
  size_t watchers_ = 0;
  uint64_t pending_events_ = 0;
  uint64_t events_taken_ = 0;

  std::vector<Watcher*> takers_;  // of one change; the pump's, reused
};

// The stream as the hub sees it; guarded by the hub's mutex. What clients hold
// is a handle to it.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(std::function<void()> on_ready)
      : on_ready(std::move(on_ready)) {}

  const std::function<void()> on_ready;
  std::map<WatchId, std::unique_ptr<Watcher>> watchers;
  WatchId next_id{0};
  std::deque<WatchResponse> controls;
  ReadyList ready;
  size_t pending_events = 0;  // of all its watchers
  size_t behind = 0;          // watchers
  size_t fed = 0;             // watchers with events from the store pending
  // Next() has said that there is nothing, so on_ready has to be called.
  bool idle = true;
  bool closed = false;
  // The revision that is to be told once all watchers have it.
  std::optional<Revision> progress_wanted;
  std::deque<WatchId> progress_due;  // watchers that are to be told
  std::optional<Loop::TimerId> progress_timer;
};

}  // namespace strata

#endif  // STRATA_ENGINE_WATCH_HUB_IMPL_H_
