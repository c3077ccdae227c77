#include "watch_reader.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "engine/errors.h"

namespace strata {
namespace {

// Where the reader sleeps. Shared with the hub, which may call when the reader
// is gone.
class Signal {
 public:
  void Set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  bool stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }
  // False if it was not set in time.
  bool Wait(Duration timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [this] { return set_ || stopped_; });
    return std::exchange(set_, false) && !stopped_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;      // guarded by mutex_
  bool stopped_ = false;  // guarded by mutex_
};

StatusOr<WatchedChange> ToChange(std::shared_ptr<const WatchEvent> event,
                                 bool prev_kv) {
  ASSIGN_OR_RETURN(const KeyValue kv, DecodeKeyValue(event->kv()));
  WatchedChange change{
      .is_delete = event->is_delete(), .kv = {kv, event}, .prev = {}};
  if (prev_kv && !event->prev_kv().empty()) {
    ASSIGN_OR_RETURN(const KeyValue prev, DecodeKeyValue(event->prev_kv()));
    change.prev.emplace(prev, std::move(event));
  }
  return change;
}

class WatchReaderImpl : public WatchReader {
 public:
  explicit WatchReaderImpl(WatchHub* hub)
      : stream_(hub->NewStream([signal = signal_] { signal->Set(); })) {}

  Status Begin(const WatchRequest& request) {
    stream_->Watch(request);
    const std::optional<WatchResponse> created = stream_->Next();
    CHECK(created.has_value() && created->created);
    if (!created->canceled) return Status::Ok();
    return InvalidArgumentError(created->cancel_reason);
  }

  StatusOr<std::optional<WatchedChanges>> Next(Duration timeout) override {
    while (!signal_->stopped()) {
      const std::optional<WatchResponse> response = stream_->Next();
      if (response.has_value()) return Take(*response);
      if (!signal_->Wait(timeout)) break;
    }
    return std::optional<WatchedChanges>();
  }
  Revision compact_revision() const override { return compact_revision_; }
  void Stop() override { signal_->Stop(); }

 private:
  StatusOr<std::optional<WatchedChanges>> Take(const WatchResponse& response) {
    if (response.canceled) {
      compact_revision_ = response.compact_revision;
      if (compact_revision_ > Revision(0)) return errors::Compacted();
      return DataLossError(response.cancel_reason);
    }
    WatchedChanges taken{.revision = response.revision, .changes = {}};
    taken.changes.reserve(response.events.size());
    for (const auto& event : response.events) {
      ASSIGN_OR_RETURN(WatchedChange change, ToChange(event, response.prev_kv));
      taken.changes.push_back(std::move(change));
    }
    return std::optional<WatchedChanges>(std::move(taken));
  }

  const std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();
  const std::unique_ptr<WatchStream> stream_;
  Revision compact_revision_;
};

}  // namespace

StatusOr<std::unique_ptr<WatchReader>> NewWatchReader(
    WatchHub* hub, const WatchRequest& request) {
  auto reader = std::make_unique<WatchReaderImpl>(hub);
  RETURN_IF_ERROR(reader->Begin(request));
  return reader;
}

}  // namespace strata
