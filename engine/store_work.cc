#include <algorithm>
#include <utility>

#include "engine/meta.h"
#include "engine/store_impl.h"

// The way of a run into the backend: frozen between two log entries, written
// and synced, then replaced by a view that has it.
namespace strata {

namespace {

constexpr Duration kFirstRetry = std::chrono::milliseconds(50);
constexpr Duration kLastRetry = std::chrono::seconds(5);

}  // namespace

// --- posting ---

void StoreImpl::Post(void (StoreImpl::*work)(), Duration delay) {
  auto function = [anchor = anchor_, work] { RunPosted(anchor, work); };
  if (delay > Duration::zero()) {
    options_.flusher->After(delay, std::move(function));
  } else {
    options_.flusher->Post(std::move(function));
  }
}

void StoreImpl::RunPosted(const std::shared_ptr<Anchor>& anchor,
                          void (StoreImpl::*work)()) {
  std::vector<Callback> finished;
  {
    std::lock_guard<std::mutex> lock(anchor->mutex);
    if (anchor->store == nullptr) return;
    (anchor->store->*work)();
    finished.swap(anchor->store->finished_);
  }
  for (const Callback& callback : finished) callback();
}

// --- freezing ---

bool StoreImpl::AtThreshold() const {
  return active_->changes() >= options_.batch_changes ||
         active_->bytes() >= options_.batch_bytes;
}

void StoreImpl::MaybeFreeze() {
  if (entry_open_ || !active_->dirty()) return;
  // A run that is only due waits for the one before it, and grows; one that is
  // full does not, so that a commit stays bounded.
  if (AtThreshold() || (freeze_wanted_ && frozen_.empty())) {
    Freeze();
    PostFlush();
  } else if (!timer_set_) {
    timer_set_ = true;
    Post(&StoreImpl::OnTimer, options_.batch_interval);
  }
}

void StoreImpl::Freeze() {
  CHECK(!entry_open_);
  freeze_wanted_ = false;
  frozen_.push_back(active_);
  active_ =
      std::make_shared<Run>(frozen_.back()->sequence() + 1, revision() + 1);
  run_ = active_.get();
  auto next = std::make_shared<ReadState>();
  next->active = active_;
  std::lock_guard<RwLock> lock(mutex_);
  // Not a copy of frozen_: its first may be in the view already.
  next->frozen = state_->frozen;
  next->frozen.push_back(frozen_.back());
  next->view = state_->view;
  state_ = std::move(next);
}

void StoreImpl::OnTimer() {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  timer_set_ = false;
  if (!active_->dirty()) return;
  freeze_wanted_ = true;
  MaybeFreeze();
}

// --- writing ---

void StoreImpl::PostFlush(Duration delay) {
  if (flush_posted_) return;
  flush_posted_ = true;
  Post(&StoreImpl::FlushFrozen, delay);
}

void StoreImpl::FlushFrozen() {
  {
    std::lock_guard<std::mutex> lock(tail_mutex_);
    flush_posted_ = false;
  }
  WriteFrozen().IgnoreError();  // it has seen to what comes of it
}

// If it fails for want of space, it will be tried again.
Status StoreImpl::WriteFrozen() {
  Status status = TryWriteFrozen();
  if (!status.ok() && Survives(status)) {
    std::lock_guard<std::mutex> lock(tail_mutex_);
    PostFlush(NextRetry());
  }
  return status;
}

Status StoreImpl::TryWriteFrozen() {
  std::shared_ptr<Run> run;
  {
    std::lock_guard<std::mutex> lock(tail_mutex_);
    if (!broken_.ok()) return broken_;
    if (!frozen_.empty()) run = frozen_.front();
  }
  if (run == nullptr) return Status::Ok();
  if (options_.before_flush != nullptr) {
    RETURN_IF_ERROR(options_.before_flush());
  }
  const Time began = options_.flusher->Now();
  RETURN_IF_ERROR(backend_->Write(run->ToBatch(options_.level)));
  counters_.commit_write.AddSeconds(options_.flusher->Now() - began);
  RETURN_IF_ERROR(backend_->Sync());
  counters_.commit.AddSeconds(options_.flusher->Now() - began);
  RETURN_IF_ERROR(SwapView(/*drop_frozen=*/true));
  retry_delay_ = Duration::zero();
  WatchReaders();
  FinishFlush(*run);
  return Status::Ok();
}

// Shows readers the backend as it is now.
Status StoreImpl::SwapView(bool drop_frozen) {
  ASSIGN_OR_RETURN(std::shared_ptr<const View> view, backend_->NewView());
  std::shared_ptr<const ReadState> old;  // may free much; outside the lock
  auto next = std::make_shared<ReadState>();
  next->view = std::move(view);
  std::lock_guard<RwLock> lock(mutex_);
  next->active = state_->active;
  next->frozen.assign(state_->frozen.begin() + (drop_frozen ? 1 : 0),
                      state_->frozen.end());
  old = std::exchange(state_, std::move(next));
  return Status::Ok();
}

void StoreImpl::FinishFlush(const Run& run) {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  frozen_.pop_front();
  flushed_sequence_ = run.sequence();
  if (run.index() > LogIndex(0)) {
    flushed_.store(run.index().value(), std::memory_order_release);
  }
  std::erase_if(waiters_, [this](FlushWaiter& waiter) {
    if (waiter.sequence > flushed_sequence_) return false;
    finished_.push_back(
        [done = std::move(waiter.done)] { done(Status::Ok()); });
    return true;
  });
  PostCompactStep();
  MaybeShrink();
  if (!frozen_.empty()) PostFlush();
  MaybeFreeze();
}

bool StoreImpl::Survives(const Status& status) {
  if (status.code() == Code::kResourceExhausted) {
    logger_->Warn("the backend has no room; will try again",
                  {{"error", status}});
    return true;
  }
  std::lock_guard<std::mutex> lock(tail_mutex_);
  if (!broken_.ok()) return false;
  broken_ = status;
  logger_->Error("the backend refuses writes for good", {{"error", status}});
  for (FlushWaiter& waiter : waiters_) {
    finished_.push_back(
        [done = std::move(waiter.done), status] { done(status); });
  }
  waiters_.clear();
  CHECK(options_.on_fatal != nullptr) << status.ToString();
  finished_.push_back(
      [on_fatal = options_.on_fatal, status] { on_fatal(status); });
  return false;
}

Duration StoreImpl::NextRetry() {
  retry_delay_ = std::clamp(retry_delay_ * 2, kFirstRetry, kLastRetry);
  return retry_delay_;
}

// --- on demand ---

void StoreImpl::Flush(std::function<void(Status)> done) {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  if (closed_ || !broken_.ok() || (!active_->dirty() && frozen_.empty())) {
    Status status = closed_ ? UnavailableError("the store is closed") : broken_;
    options_.flusher->Post(
        [done = std::move(done), status = std::move(status)] { done(status); });
    return;
  }
  const bool whole = active_->dirty();
  waiters_.push_back({whole ? active_->sequence() : frozen_.back()->sequence(),
                      std::move(done)});
  if (!whole) return;
  freeze_wanted_ = true;
  MaybeFreeze();
}

// Writes the frozen runs, and then the active one, from this thread.
Status StoreImpl::FlushAll() {
  uint64_t runs;  // what is frozen later is not this call's
  {
    std::unique_lock<std::mutex> lock(tail_mutex_);
    entry_ended_.wait(lock, [this] { return !entry_open_; });
    if (active_->dirty()) Freeze();
    runs = frozen_.size();
  }
  for (uint64_t i = runs; i > 0; --i) RETURN_IF_ERROR(WriteFrozen());
  return Status::Ok();
}

Status StoreImpl::WriteSnapshot(const Backend::Sink& sink) {
  const Time began = options_.flusher->Now();
  ASSIGN_OR_RETURN(const std::shared_ptr<const View> view, FlushedView());
  RETURN_IF_ERROR(backend_->WriteSnapshot(*view, sink));
  counters_.snapshot.AddSeconds(options_.flusher->Now() - began);
  return Status::Ok();
}

StatusOr<std::shared_ptr<const View>> StoreImpl::FlushedView() {
  std::shared_ptr<const View> view;
  std::vector<Callback> finished;
  Status status;
  {
    std::lock_guard<std::mutex> work(anchor_->mutex);
    status = FlushAll();
    view = state()->view;
    finished.swap(finished_);
  }
  for (const Callback& callback : finished) callback();
  RETURN_IF_ERROR(status);
  return view;
}

namespace {

class BackendImage final : public StoreImage {
 public:
  BackendImage(Backend* backend, std::shared_ptr<const View> view,
               LogIndex applied)
      : backend_(backend), view_(std::move(view)), applied_(applied) {}

  LogIndex applied() const override { return applied_; }
  StatusOr<std::vector<std::pair<std::string, std::string>>> List(
      Table table) const override {
    std::vector<std::pair<std::string, std::string>> rows;
    const auto at = view_->NewIterator(table);
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      rows.emplace_back(at->key(), at->value());
    }
    RETURN_IF_ERROR(at->status());
    return rows;
  }
  Status Write(const Backend::Sink& sink) const override {
    return backend_->WriteSnapshot(*view_, sink);
  }

 private:
  Backend* const backend_;
  const std::shared_ptr<const View> view_;
  const LogIndex applied_;
};

}  // namespace

StatusOr<std::shared_ptr<const StoreImage>> StoreImpl::Image() const {
  std::shared_ptr<const View> view = state()->view;
  ASSIGN_OR_RETURN(const auto index,
                   view->Get(Table::kMeta, meta::kConsistentIndex));
  if (!index || index->size() != sizeof(uint64_t)) {
    return DataLossError("the backend does not say what it has");
  }
  const LogIndex applied(LoadBig64(index->data()));
  return std::shared_ptr<const StoreImage>(
      std::make_shared<BackendImage>(backend_.get(), std::move(view), applied));
}

Status StoreImpl::Close() {
  CHECK(!in_entry_) << "Close in the middle of an entry";
  std::vector<Callback> finished;
  Status status;
  {
    std::lock_guard<std::mutex> work(anchor_->mutex);
    status = FlushAll();
    Detach(status, &finished);
  }
  for (const Callback& callback : finished) callback();
  return status;
}

void StoreImpl::Abandon() {
  CHECK(!in_entry_) << "Abandon in the middle of an entry";
  std::vector<Callback> finished;
  {
    std::lock_guard<std::mutex> work(anchor_->mutex);
    Detach(UnavailableError("the store was replaced"), &finished);
  }
  for (const Callback& callback : finished) callback();
}

// Who waits gets `status`. REQUIRES: anchor_->mutex
void StoreImpl::Detach(const Status& status, std::vector<Callback>* finished) {
  anchor_->store = nullptr;
  std::lock_guard<std::mutex> lock(tail_mutex_);
  closed_ = true;
  for (FlushWaiter& waiter : waiters_) {
    finished_.push_back(
        [done = std::move(waiter.done), status] { done(status); });
  }
  waiters_.clear();
  for (const auto& request : std::exchange(shrink_requests_, {})) {
    finished_.push_back(
        [request] { request->done(UnavailableError("the store is closed")); });
  }
  finished->swap(finished_);
}

}  // namespace strata
