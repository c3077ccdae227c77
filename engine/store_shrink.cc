#include <algorithm>
#include <utility>

#include "engine/store_impl.h"

// Making the backend's file shorter, a step at a time on the flusher, on
// request or because much of the file is free; and the watch over readers whose
// view has become old.
namespace strata {

namespace {

// Without any step for so long, a request ends and names the reader that is in
// the way.
constexpr Duration kPatience = std::chrono::seconds(30);
// Between looks at a reader that is in the way.
constexpr Duration kBlockedPause = std::chrono::milliseconds(100);
constexpr Duration kLeastPause = std::chrono::milliseconds(2);
// Between two shrinkings that nobody asked for.
constexpr Duration kAutomaticPause = std::chrono::minutes(1);
// A reader is reported after this, and again whenever it is twice as old.
constexpr Duration kOldReader = std::chrono::seconds(10);

int64_t Seconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

void StoreImpl::Shrink(ShrinkWatch progress, ShrinkDone done) {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  if (!broken_.ok() || closed_) {
    const Status status =
        closed_ ? UnavailableError("the store is closed") : broken_;
    options_.flusher->Post([done = std::move(done), status] { done(status); });
    return;
  }
  shrink_requests_.push_back(std::make_shared<ShrinkRequest>(
      ShrinkRequest{.progress = std::move(progress),
                    .done = std::move(done),
                    .began = options_.flusher->Now()}));
  PostShrinkStep();
}

// REQUIRES: tail_mutex_
void StoreImpl::PostShrinkStep(Duration delay) {
  if (shrink_posted_) return;
  shrink_posted_ = true;
  Post(&StoreImpl::ShrinkStep, delay);
}

// REQUIRES: tail_mutex_
void StoreImpl::MaybeShrink() {
  const ShrinkOptions& shrink = options_.shrink;
  if (shrink.free_fraction >= 1 || shrinking_ || closed_) return;
  if (!broken_.ok() || !compactions_.empty()) return;
  const BackendSizes sizes = backend_->Sizes();
  const uint64_t free =
      sizes.file_bytes - sizes.in_use_bytes + sizes.pending_bytes;
  const double share =
      static_cast<double>(free) / static_cast<double>(sizes.file_bytes + 1);
  if (free < shrink.free_bytes || share < shrink.free_fraction) return;
  if (options_.flusher->Now() < next_shrink_) return;
  logger_->Info("much of the backend's file is free; making it shorter",
                {{"file-bytes", sizes.file_bytes}, {"free-bytes", free}});
  shrinking_ = true;
  PostShrinkStep();
}

// Takes out the requests that were called off; whether any work is left.
bool StoreImpl::GoOnShrinking() {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  shrink_posted_ = false;
  std::erase_if(shrink_requests_, [this](const auto& request) {
    if (!request->called_off) return false;
    finished_.push_back([request] {
      request->done(Status(Code::kCanceled, "the shrinking was called off"));
    });
    return true;
  });
  return broken_.ok() && (shrinking_ || !shrink_requests_.empty());
}

void StoreImpl::ShrinkStep() {
  if (!GoOnShrinking()) {
    backend_->EndShrink();
    shrink_moved_at_.reset();
    return;
  }
  const Time began = options_.flusher->Now();
  if (!shrink_moved_at_) shrink_moved_at_ = began;
  const StatusOr<ShrinkProgress> step =
      backend_->ShrinkStep(options_.shrink.step_bytes);
  Status status = step.ok() ? SwapView(/*drop_frozen=*/false) : step.status();
  if (!status.ok()) {
    if (status.code() != Code::kResourceExhausted && backend_->Sync().ok()) {
      EndShrinking(
          status);  // damage that a step met before it changed anything
    } else if (Survives(status)) {
      std::lock_guard<std::mutex> lock(tail_mutex_);
      PostShrinkStep(NextRetry());
    } else {
      EndShrinking(status);
    }
    return;
  }
  WatchReaders();
  const Time now = options_.flusher->Now();
  if (!step->blocker) shrink_moved_at_ = now;
  for (const auto& request : Requests()) {
    if (request->progress == nullptr) continue;
    finished_.push_back([request, progress = *step] {
      if (!request->progress(progress)) request->called_off = true;
    });
  }
  if (step->done || now - *shrink_moved_at_ >= kPatience) {
    EndShrinking(*step);
    return;
  }
  std::lock_guard<std::mutex> lock(tail_mutex_);
  PostShrinkStep(step->blocker ? kBlockedPause
                               : std::max(kLeastPause, now - began));
}

std::vector<std::shared_ptr<StoreImpl::ShrinkRequest>> StoreImpl::Requests()
    const {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  return shrink_requests_;
}

void StoreImpl::EndShrinking(const StatusOr<ShrinkProgress>& end) {
  StatusOr<ShrinkProgress> result = end;
  if (end.ok() && !end->done) result = BlockedError(*end);
  if (result.ok()) {
    logger_->Info("made the backend's file shorter",
                  {{"file-bytes", end->file_bytes},
                   {"live-bytes", end->live_bytes},
                   {"written-bytes", end->written_bytes}});
  } else {
    logger_->Warn("could not make the backend's file shorter",
                  {{"error", result.status()}});
  }
  backend_->EndShrink();
  shrink_moved_at_.reset();
  std::lock_guard<std::mutex> lock(tail_mutex_);
  shrinking_ = false;
  next_shrink_ = options_.flusher->Now() + kAutomaticPause;
  if (end.ok()) Bump(&counters_.shrink_written_bytes, end->written_bytes);
  for (const auto& request : std::exchange(shrink_requests_, {})) {
    counters_.shrink.AddSeconds(options_.flusher->Now() - request->began);
    finished_.push_back([request, result] { request->done(result); });
  }
}

Status StoreImpl::BlockedError(const ShrinkProgress& at) {
  uint64_t id = 0;
  uint64_t bytes = 0;
  if (at.blocker) id = at.blocker->id;
  if (at.blocker) bytes = at.blocker->pinned_bytes;
  return Status(Code::kAborted,
                "the file has " + std::to_string(at.file_bytes) +
                    " bytes, of which " + std::to_string(at.live_bytes) +
                    " are in use; the reader of state " + std::to_string(id) +
                    " has pinned " + std::to_string(bytes) +
                    " of them for more than " +
                    std::to_string(Seconds(kPatience)) + " s");
}

// --- readers ---

void StoreImpl::WatchReaders() {
  const Time now = options_.flusher->Now();
  std::map<uint64_t, Reader> still;
  for (const OldView& view : backend_->OldViews()) {
    Reader reader{.since = now, .report_at = now + kOldReader};
    if (auto known = readers_.find(view.id); known != readers_.end()) {
      reader = known->second;
    }
    reader.pinned_bytes = view.pinned_bytes;
    if (now >= reader.report_at) {
      logger_->Warn("a reader keeps an old state of the backend",
                    {{"state", view.id},
                     {"seconds", Seconds(now - reader.since)},
                     {"pinned-bytes", view.pinned_bytes}});
      reader.report_at = now + (now - reader.since);
    }
    still.emplace(view.id, reader);
  }
  std::lock_guard<std::mutex> lock(tail_mutex_);
  readers_ = std::move(still);
}

std::vector<OldReader> StoreImpl::OldReaders(Duration age) const {
  const Time now = options_.flusher->Now();
  std::vector<OldReader> old;
  std::lock_guard<std::mutex> lock(tail_mutex_);
  for (const auto& [id, reader] : readers_) {
    if (now - reader.since < age) continue;
    old.push_back({.id = id,
                   .age = now - reader.since,
                   .pinned_bytes = reader.pinned_bytes});
  }
  return old;
}

}  // namespace strata
