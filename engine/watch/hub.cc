#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "engine/errors.h"
#include "engine/watch/hub_impl.h"

namespace strata {
namespace {

// "\0": the smallest key, which stands for none.
constexpr std::string_view kSmallestKey("\0", 1);

KeyRange Normalised(const KeyRange& range) {
  return {.key = range.key.empty() ? kSmallestKey : range.key,
          .end = range.end};
}

}  // namespace

// What a client of the hub holds of its stream.
class WatchHubImpl::Handle final : public WatchStream {
 public:
  Handle(WatchHubImpl* hub, std::shared_ptr<Stream> stream)
      : hub_(hub), stream_(std::move(stream)) {}
  ~Handle() override {
    const std::lock_guard lock(hub_->mutex_);
    hub_->Close(stream_.get());
  }

  void Watch(const WatchRequest& request) override {
    const std::lock_guard lock(hub_->mutex_);
    hub_->Watch(stream_.get(), request);
  }
  void Cancel(WatchId id) override {
    const std::lock_guard lock(hub_->mutex_);
    hub_->Cancel(stream_.get(), id);
  }
  void RequestProgress() override {
    const std::lock_guard lock(hub_->mutex_);
    hub_->RequestProgress(stream_.get());
  }
  std::optional<WatchResponse> Next() override {
    std::optional<WatchResponse> response;
    {
      const std::lock_guard lock(hub_->mutex_);
      response = hub_->Next(stream_.get());
    }
    // Mostly the pump has read it; never with the mutex held.
    if (response.has_value() && response->prev_kv) {
      for (const auto& event : response->events) event->ReadPrev(*hub_->store_);
    }
    return response;
  }
  size_t controls() const override {
    const std::lock_guard lock(hub_->mutex_);
    return stream_->controls.size();
  }

 private:
  WatchHubImpl* const hub_;
  const std::shared_ptr<Stream> stream_;
};

std::unique_ptr<WatchHub> WatchHub::New(Store* store, Loop* pump,
                                        const WatchHubOptions& options,
                                        Logger* logger) {
  return std::make_unique<WatchHubImpl>(store, pump, options, logger);
}

WatchHubImpl::WatchHubImpl(Store* store, Loop* pump,
                           const WatchHubOptions& options, Logger* logger)
    : store_(store),
      pump_(pump),
      options_(options),
      logger_(logger),
      anchor_(std::make_shared<Anchor>()),
      random_(options.random_seed),
      interests_(random_.Next()),
      window_(limits::kWatchWindowEvents, limits::kWatchWindowBytes) {
  anchor_->hub = this;
}

WatchHubImpl::~WatchHubImpl() {
  {
    const std::lock_guard lock(anchor_->mutex);
    anchor_->hub = nullptr;
  }
  const std::lock_guard lock(mutex_);
  CHECK(streams_.empty()) << "a stream is left";
}

std::unique_ptr<WatchStream> WatchHubImpl::NewStream(
    std::function<void()> on_ready) {
  auto stream = std::make_shared<Stream>(std::move(on_ready));
  const std::lock_guard lock(mutex_);
  streams_.insert(stream);
  return std::make_unique<Handle>(this, std::move(stream));
}

WatchCounters WatchHubImpl::counters() const {
  const std::lock_guard lock(mutex_);
  return {.watch_stream_total = static_cast<int64_t>(streams_.size()),
          .watcher_total = static_cast<int64_t>(watchers_),
          .slow_watcher_total = static_cast<int64_t>(behind_.size()),
          .pending_events_total = static_cast<int64_t>(pending_events_),
          .events_total = events_taken_};
}

size_t WatchHubImpl::window_bytes() const {
  const std::lock_guard lock(mutex_);
  return window_.bytes();
}

void WatchHubImpl::Close(Stream* stream) {
  stream->closed = true;
  while (!stream->watchers.empty()) {
    RemoveWatcher(stream->watchers.begin()->second.get());
  }
  if (stream->progress_timer.has_value()) {
    pump_->Cancel(*stream->progress_timer);
  }
  progress_wanted_.erase(stream);
  const auto same = [stream](const auto& each) { return each.get() == stream; };
  streams_.erase(std::find_if(streams_.begin(), streams_.end(), same));
}

// --- watchers ---

Status WatchHubImpl::CheckRequest(const Stream& stream, const KeyRange& range,
                                  const WatchRequest& request) const {
  if (!range.single() && !range.open_ended() && range.key >= range.end) {
    return InvalidArgumentError("mvcc: watcher range is empty");
  }
  if (stream.watchers.contains(request.id)) {
    return InvalidArgumentError(
        "mvcc: duplicate watch ID provided on the WatchStream");
  }
  // As later releases; 3.4 takes -1 for "from now on" and refuses what is less.
  if (request.start < Revision(0)) return errors::Compacted();
  if (watchers_ >= limits::kMaxWatchers) {
    return ResourceExhaustedError("etcdserver: too many requests");
  }
  return Status::Ok();
}

void WatchHubImpl::Watch(Stream* stream, const WatchRequest& request) {
  const KeyRange range = Normalised(request.range);
  // As etcd counts: ids that a client chose are passed over, and 0 is the first
  // that it gives out, though nobody can ask for it.
  WatchRequest chosen = request;
  if (request.id == WatchId(0)) {
    while (stream->watchers.contains(stream->next_id)) ++stream->next_id;
    chosen.id = stream->next_id;
  }
  const Status status = CheckRequest(*stream, range, chosen);
  if (status.ok()) {
    if (request.id == WatchId(0)) ++stream->next_id;
    if (watchers_ == 0) Wake();
  }
  const Revision now = store_->revision();
  stream->controls.push_back({.id = status.ok() ? chosen.id : kNoWatchId,
                              .revision = now,
                              .created = true,
                              .canceled = !status.ok(),
                              .cancel_reason = status.message()});
  if (status.ok()) AddWatcher(stream, range, chosen, now);
}

void WatchHubImpl::AddWatcher(Stream* stream, const KeyRange& range,
                              const WatchRequest& request, Revision now) {
  auto owned = std::make_unique<Watcher>();
  Watcher* const watcher = owned.get();
  watcher->stream = stream;
  watcher->id = request.id;
  watcher->prev_kv = request.prev_kv;
  watcher->no_put = request.no_put;
  watcher->no_delete = request.no_delete;
  watcher->fragment = request.fragment;
  watcher->progress_notify = request.progress_notify;
  watcher->next = request.start == Revision(0) ? now + 1 : request.start;
  watcher->interest = interests_.Add(range, watcher);
  watcher->interest_slot = watcher->interest->watchers.size() - 1;
  stream->watchers.emplace(request.id, std::move(owned));
  ++watchers_;
  if (watcher->next <= fed_) {
    AddBehind(watcher);
    Post();
  }
  if (watcher->progress_notify && !stream->progress_timer.has_value()) {
    SetProgressTimer(stream);
  }
}

void WatchHubImpl::RemoveWatcher(Watcher* watcher) {
  ReleasePending(watcher);
  if (watcher->behind) RemoveBehind(watcher);
  Watcher* const moved =
      interests_.Remove(watcher->interest, watcher->interest_slot);
  if (moved != nullptr) moved->interest_slot = watcher->interest_slot;
  watcher->stream->watchers.erase(watcher->id);
  if (--watchers_ == 0) Sleep();
}

void WatchHubImpl::Cancel(Stream* stream, WatchId id) {
  const auto found = stream->watchers.find(id);
  if (found == stream->watchers.end()) return;
  RemoveWatcher(found->second.get());
  stream->controls.push_back(
      {.id = id, .revision = store_->revision(), .canceled = true});
}

void WatchHubImpl::RequestProgress(Stream* stream) {
  const Revision now = store_->revision();
  if (stream->watchers.empty()) {
    if (!options_.level.AnswersProgressOfNoWatchers()) return;
    stream->controls.push_back({.id = kNoWatchId, .revision = now});
    return;
  }
  for (const auto& [id, watcher] : stream->watchers) {
    if (watcher->next > now + 1) return;
  }
  stream->progress_wanted = now;
  progress_wanted_.insert(stream);
}

// Published() that does not see it had changed the store before, so that the
// revision below has the change.
void WatchHubImpl::Wake() {
  store_->HoldChanges(Revision(1));
  awake_.exchange(true);
  fed_ = store_->revision();
  store_->HoldChanges(fed_ + 1);
}

void WatchHubImpl::Sleep() {
  awake_.store(false, std::memory_order_seq_cst);
  store_->HoldChanges(Revision(0));
}

void WatchHubImpl::AddBehind(Watcher* watcher) {
  watcher->behind = true;
  watcher->behind_slot = behind_.size();
  behind_.push_back(watcher);
  ++watcher->stream->behind;
}

void WatchHubImpl::RemoveBehind(Watcher* watcher) {
  watcher->behind = false;
  Watcher* const moved = behind_.back();
  behind_[watcher->behind_slot] = moved;
  moved->behind_slot = watcher->behind_slot;
  behind_.pop_back();
  --watcher->stream->behind;
}

void WatchHubImpl::Check() const {
  const std::lock_guard lock(mutex_);
  interests_.Check();
  size_t watchers = 0, pending = 0, behind = 0;
  for (const auto& stream : streams_) {
    size_t of_stream = 0, ready = 0, fed = 0;
    for (const auto& [id, watcher] : stream->watchers) {
      ++watchers;
      of_stream += watcher->pending.size();
      if (!watcher->pending.empty()) ++ready;
      CHECK(!watcher->fed || !watcher->pending.empty());
      fed += watcher->fed ? 1 : 0;
      if (watcher->behind)
        CHECK(behind_[watcher->behind_slot] == watcher.get());
      behind += watcher->behind ? 1 : 0;
      CHECK(!watcher->behind || watcher->next <= fed_);
      CHECK(std::is_sorted(watcher->pending.begin(), watcher->pending.end()));
      CHECK(watcher->interest->watchers[watcher->interest_slot] ==
            watcher.get());
    }
    for (Watcher* at = stream->ready.front(); at != nullptr;
         at = at->ready_after) {
      CHECK(!at->pending.empty());
      --ready;
    }
    CHECK_EQ(ready, 0u);
    CHECK_EQ(fed, stream->fed);
    CHECK_EQ(of_stream, stream->pending_events);
    pending += of_stream;
  }
  CHECK_EQ(watchers, watchers_);
  CHECK_EQ(pending, pending_events_);
  CHECK_EQ(behind, behind_.size());
}

// --- ready watchers ---

void ReadyList::PushBack(Watcher* watcher) {
  watcher->ready_before = last_;
  watcher->ready_after = nullptr;
  (last_ == nullptr ? first_ : last_->ready_after) = watcher;
  last_ = watcher;
}

void ReadyList::Erase(Watcher* watcher) {
  Watcher* const before = watcher->ready_before;
  Watcher* const after = watcher->ready_after;
  (before == nullptr ? first_ : before->ready_after) = after;
  (after == nullptr ? last_ : after->ready_before) = before;
}

}  // namespace strata
