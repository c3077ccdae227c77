#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "engine/watch/hub_impl.h"

// Feeding: what is new to those who are synced, and from the store to those who
// are behind. Both a bounded number of changes at a time, read without the
// mutex.
namespace strata {
namespace {

constexpr Revision kNoEnd(INT64_MAX);

}  // namespace

void WatchHubImpl::Published() {
  // The order against Wake(): both change the flag, one after the other, so
  // either this sees that the hub is awake, or that sees the change.
  bool awake = false;
  if (!awake_.compare_exchange_strong(awake, false)) Post();
}

void WatchHubImpl::Post() {
  if (posted_.exchange(true)) return;
  pump_->Post([anchor = anchor_] { RunPosted(anchor); });
}

void WatchHubImpl::RunPosted(const std::shared_ptr<Anchor>& anchor) {
  const std::lock_guard lock(anchor->mutex);
  if (anchor->hub != nullptr) anchor->hub->Run();
}

void WatchHubImpl::Run() {
  posted_.store(false);
  const bool more_new = FeedNew();
  const bool more_behind = FeedBehind();
  // Others on the pump have their turn in between.
  if (more_new || more_behind) Post();
}

// --- what is new ---

// True if there may be more.
bool WatchHubImpl::FeedNew() {
  ChangeRequest request{.end = kNoEnd, .held = true};
  {
    const std::lock_guard lock(mutex_);
    if (watchers_ == 0) return false;
    request.from = fed_ + 1;
  }
  const StatusOr<ChangeList> list = store_->ReadChanges(request);
  Fed fed;
  {
    const std::lock_guard lock(mutex_);
    if (watchers_ == 0 || fed_ + 1 != request.from) return true;  // it slept
    if (list.status().code() == Code::kOutOfRange) {
      LeaveBehind();
    } else if (!list.ok()) {
      RefuseDamaged(list.status(), Watchers(), &fed);
    } else {
      for (const Change& change : list->changes) DeliverNew(change, &fed);
      fed_ = list->next - 1;
    }
    TouchProgress(&fed);
  }
  Finish(&fed);
  return list.ok() && list->next <= store_->revision();
}

// The store's content was replaced by one in which what comes next has been
// compacted: all are behind, and will be told so.
void WatchHubImpl::LeaveBehind() {
  const Revision lost = fed_ + 1;
  fed_ = store_->revision();
  for (Watcher* watcher : Watchers()) {
    if (watcher->behind || watcher->next > fed_) continue;
    watcher->next = std::max(watcher->next, lost);
    AddBehind(watcher);
  }
}

void WatchHubImpl::DeliverNew(const Change& change, Fed* fed) {
  const Revision main = change.id.main;
  Match(
      change, /*live=*/true, /*header=*/main,
      [this, &change, main](Watcher* watcher) {
        if (watcher->behind || !watcher->Wants(change)) return false;
        // Enough: it goes on from the store, but not in the middle of a
        // revision.
        if (watcher->pending.size() < limits::kWatchPendingEvents ||
            watcher->pending_header == main) {
          return true;
        }
        watcher->next = main;
        AddBehind(watcher);
        return false;
      },
      fed);
}

template <typename Takes>
void WatchHubImpl::Match(const Change& change, bool live, Revision header,
                         const Takes& takes, Fed* fed) {
  std::string_view key;
  CHECK(DecodeKey(change.kv, &key));
  takers_.clear();
  interests_.ForEach(key, [&](Watcher* watcher) {
    if (takes(watcher)) takers_.push_back(watcher);
  });
  if (takers_.empty()) return;
  auto event = std::make_shared<const WatchEvent>(change, live);
  bool prev_wanted = false;
  const uint64_t number = window_.Add(event, takers_.size());
  for (Watcher* watcher : takers_) {
    Stream* const stream = watcher->stream;
    if (watcher->pending.empty()) {
      watcher->pending_from = change.id.main;
      stream->ready.PushBack(watcher);
    }
    watcher->pending.push_back(number);
    watcher->pending_header = header;
    ++stream->pending_events;
    if (!live && !watcher->fed) {
      watcher->fed = true;
      ++stream->fed;
    }
    prev_wanted = prev_wanted || watcher->prev_kv;
    Touch(stream, fed);
  }
  pending_events_ += takers_.size();
  if (prev_wanted) fed->prev_wanted.push_back(std::move(event));
}

void WatchHubImpl::Touch(Stream* stream, Fed* fed) {
  if (!stream->idle) return;
  stream->idle = false;
  fed->ready.push_back(stream->weak_from_this());
}

void WatchHubImpl::TouchProgress(Fed* fed) {
  for (Stream* stream : progress_wanted_) {
    if (fed_ >= *stream->progress_wanted && stream->behind == 0) {
      Touch(stream, fed);
    }
  }
}

// What was before is read while the store still has it; then a compaction may
// go on.
void WatchHubImpl::Finish(Fed* fed) {
  for (const auto& event : fed->prev_wanted) event->ReadPrev(*store_);
  {
    const std::lock_guard lock(mutex_);
    if (watchers_ > 0) store_->HoldChanges(fed_ + 1);
  }
  for (const auto& weak : fed->ready) {
    if (const auto stream = weak.lock()) stream->on_ready();
  }
}

// The store is damaged: nobody shall believe that nothing happens.
void WatchHubImpl::RefuseDamaged(const Status& status,
                                 const std::vector<Watcher*>& watchers,
                                 Fed* fed) {
  logger_->Error("cannot read changes for watchers", {{"error", status}});
  for (Watcher* watcher : watchers) {
    Stream* const stream = watcher->stream;
    stream->controls.push_back({.id = watcher->id,
                                .revision = fed_,
                                .canceled = true,
                                .cancel_reason = status.message()});
    RemoveWatcher(watcher);
    Touch(stream, fed);
  }
}

std::vector<Watcher*> WatchHubImpl::Watchers() const {
  std::vector<Watcher*> watchers;
  for (const auto& stream : streams_) {
    for (const auto& [id, watcher] : stream->watchers) {
      watchers.push_back(watcher.get());
    }
  }
  return watchers;
}

// --- those who are behind ---

// Those from `from` on, some of each stream, but none whose client has still to
// take what came so before: a client that does not read is not fed again.
std::vector<Watcher*> WatchHubImpl::ChooseBehind(Revision from,
                                                 Revision end) const {
  std::vector<Watcher*> chosen;
  std::unordered_map<const Stream*, size_t> of_stream;
  for (Watcher* watcher : behind_) {
    if (watcher->next < from || watcher->next >= end) continue;
    if (!watcher->pending.empty()) continue;
    const Stream* const stream = watcher->stream;
    if (stream->fed > 0) continue;
    if (of_stream[stream]++ >= limits::kWatchersPerStep) continue;
    chosen.push_back(watcher);
  }
  return chosen;
}

// One step; true if there was something to do. Those who are furthest behind
// go first, and whoever is on the way goes with them.
bool WatchHubImpl::FeedBehind() {
  ChangeRequest request;
  {
    const std::lock_guard lock(mutex_);
    const std::vector<Watcher*> chosen =
        ChooseBehind(Revision(INT64_MIN), kNoEnd);
    if (chosen.empty()) return false;
    request.from = kNoEnd;
    for (const Watcher* watcher : chosen) {
      request.from = std::min(request.from, watcher->next);
    }
    request.end = fed_ + 1;
  }
  const Revision now = store_->revision();
  const StatusOr<ChangeList> list = store_->ReadChanges(request);
  Fed fed;
  {
    const std::lock_guard lock(mutex_);
    if (list.ok()) {
      DeliverBehind(*list, request.from, now, &fed);
    } else if (list.status().code() == Code::kOutOfRange) {
      RefuseCompacted(&fed);
    } else {
      // Those further on may be spared.
      RefuseDamaged(list.status(), ChooseBehind(request.from, request.from + 1),
                    &fed);
    }
    TouchProgress(&fed);
  }
  Finish(&fed);
  return true;
}

void WatchHubImpl::DeliverBehind(const ChangeList& list, Revision from,
                                 Revision now, Fed* fed) {
  const std::vector<Watcher*> chosen = ChooseBehind(from, list.next);
  for (Watcher* watcher : chosen) watcher->chosen = true;
  for (const Change& change : list.changes) {
    Match(
        change, /*live=*/false, /*header=*/now,
        [&change](const Watcher* watcher) {
          return watcher->chosen && watcher->Wants(change);
        },
        fed);
  }
  for (Watcher* watcher : chosen) {
    watcher->chosen = false;
    watcher->next = list.next;
    if (watcher->next > fed_) RemoveBehind(watcher);
  }
}

void WatchHubImpl::RefuseCompacted(Fed* fed) {
  const Revision compacted = store_->compact_revision();
  for (Watcher* watcher : ChooseBehind(Revision(INT64_MIN), compacted)) {
    Stream* const stream = watcher->stream;
    // etcd says no revision of its own here.
    stream->controls.push_back(
        {.id = watcher->id, .canceled = true, .compact_revision = compacted});
    RemoveWatcher(watcher);
    Touch(stream, fed);
  }
}

// --- progress from time to time ---

void WatchHubImpl::SetProgressTimer(Stream* stream) {
  const auto tenth =
      static_cast<uint64_t>(options_.progress_interval.count()) / 10;
  const Duration jitter(
      tenth == 0 ? 0 : static_cast<int64_t>(random_.Below(tenth)));
  stream->progress_timer =
      pump_->After(options_.progress_interval + jitter,
                   [anchor = anchor_, weak = stream->weak_from_this()] {
                     OnProgressTimer(anchor, weak);
                   });
}

void WatchHubImpl::OnProgressTimer(const std::shared_ptr<Anchor>& anchor,
                                   const std::weak_ptr<Stream>& weak) {
  const std::lock_guard lock(anchor->mutex);
  const auto stream = weak.lock();
  if (anchor->hub != nullptr && stream != nullptr) {
    anchor->hub->MarkProgress(stream.get());
  }
}

// A watcher that got events since the last time needs to be told nothing.
void WatchHubImpl::MarkProgress(Stream* stream) {
  Fed fed;
  {
    const std::lock_guard lock(mutex_);
    if (stream->closed) return;
    stream->progress_due.clear();
    for (const auto& [id, watcher] : stream->watchers) {
      if (!watcher->progress_notify) continue;
      if (watcher->quiet && !watcher->behind) {
        stream->progress_due.push_back(id);
      }
      watcher->quiet = true;
    }
    if (!stream->progress_due.empty()) Touch(stream, &fed);
    SetProgressTimer(stream);
  }
  Finish(&fed);
}

}  // namespace strata
