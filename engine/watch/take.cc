#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "engine/watch/hub_impl.h"

// What a stream says next: what became of its requests, then events, then
// progress.
namespace strata {

std::optional<WatchResponse> WatchHubImpl::Next(Stream* stream) {
  stream->idle = false;
  if (!stream->controls.empty()) {
    WatchResponse response = std::move(stream->controls.front());
    stream->controls.pop_front();
    return response;
  }
  while (Watcher* const watcher = stream->ready.front()) {
    auto response = TakeEvents(watcher);
    if (response.has_value()) return response;
  }
  auto response = TakeProgress(stream);
  stream->idle = !response.has_value();
  return response;
}

// It makes room for those of the stream that are behind.
void WatchHubImpl::Emptied(Watcher* watcher) {
  Stream* const stream = watcher->stream;
  watcher->pending.shrink_to_fit();
  if (watcher->fed) --stream->fed;
  watcher->fed = false;
  if (stream->behind > 0 && stream->fed == 0) Post();
}

// Whole revisions, up to about the size of a response. Nothing if the events
// are gone from the window: it has fallen behind.
std::optional<WatchResponse> WatchHubImpl::TakeEvents(Watcher* watcher) {
  if (!window_.Has(watcher->pending.front())) {
    FallBehind(watcher);
    return std::nullopt;
  }
  WatchResponse response{.id = watcher->id,
                         .revision = watcher->pending_header,
                         .prev_kv = watcher->prev_kv,
                         .fragment = watcher->fragment};
  response.events.reserve(watcher->pending.size());
  size_t bytes = 0;
  size_t taken = 0;
  for (; taken < watcher->pending.size(); ++taken) {
    const auto& event = window_.at(watcher->pending[taken]);
    if (bytes >= limits::kWatchResponseBytes &&
        event->revision() != response.events.back()->revision()) {
      watcher->pending_from = event->revision();
      break;
    }
    bytes += event->bytes();
    response.events.push_back(event);
  }
  for (size_t i = 0; i < taken; ++i) window_.Release(watcher->pending[i]);
  Stream* const stream = watcher->stream;
  stream->ready.Erase(watcher);
  watcher->pending.erase(watcher->pending.begin(),
                         watcher->pending.begin() + static_cast<long>(taken));
  if (watcher->pending.empty()) {
    Emptied(watcher);
  } else {
    stream->ready.PushBack(watcher);
  }
  stream->pending_events -= taken;
  pending_events_ -= taken;
  events_taken_ += taken;
  watcher->quiet = false;
  return response;
}

void WatchHubImpl::ReleasePending(Watcher* watcher) {
  if (watcher->pending.empty()) return;
  for (const uint64_t number : watcher->pending) window_.Release(number);
  Stream* const stream = watcher->stream;
  stream->pending_events -= watcher->pending.size();
  pending_events_ -= watcher->pending.size();
  stream->ready.Erase(watcher);
  watcher->pending.clear();
  Emptied(watcher);
}

void WatchHubImpl::FallBehind(Watcher* watcher) {
  CHECK(!watcher->pending.empty());
  ReleasePending(watcher);
  watcher->next = watcher->pending_from;
  if (!watcher->behind) AddBehind(watcher);
  Post();
}

// REQUIRES: nothing is ready
bool WatchHubImpl::MayTellProgress(const Stream& stream) const {
  if (stream.behind > 0 || stream.watchers.empty()) return false;
  for (const auto& [id, watcher] : stream.watchers) {
    if (watcher->next > fed_ + 1) return false;  // begins in the future
  }
  return true;
}

std::optional<WatchResponse> WatchHubImpl::TakeProgress(Stream* stream) {
  while (!stream->progress_due.empty()) {
    const WatchId id = stream->progress_due.front();
    stream->progress_due.pop_front();
    const auto found = stream->watchers.find(id);
    if (found == stream->watchers.end()) continue;
    const Watcher& watcher = *found->second;
    if (watcher.behind || watcher.next > fed_ + 1) continue;
    return WatchResponse{.id = id, .revision = fed_};
  }
  if (!stream->progress_wanted.has_value() || fed_ < *stream->progress_wanted ||
      !MayTellProgress(*stream)) {
    return std::nullopt;
  }
  stream->progress_wanted.reset();
  progress_wanted_.erase(stream);
  return WatchResponse{.id = kNoWatchId, .revision = fed_};
}

}  // namespace strata
