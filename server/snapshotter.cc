#include "server/snapshotter.h"

#include <utility>

#include "base/limits.h"
#include "server/data_dir.h"
#include "server/incoming_snapshot.h"

namespace strata {

Snapshotter::Snapshotter(const NodeOptions& options, const NodeWorld& world,
                         Level level, Store* store, Cluster* cluster,
                         Replicator* replicator, LogIndex last,
                         NodeCounters* counters)
    : directory_(DataPaths(options).snap),
      snapshot_count_(options.snapshot_count != 0 ? options.snapshot_count
                                                  : limits::kSnapshotCount),
      snapshot_bytes_(options.snapshot_bytes),
      catch_up_entries_(options.snapshot_catch_up_entries != 0
                            ? options.snapshot_catch_up_entries
                            : limits::kSnapshotCatchUpEntries),
      max_snapshots_(options.max_snapshots),
      level_(level),
      world_(world),
      store_(store),
      cluster_(cluster),
      replicator_(replicator),
      counters_(counters),
      last_(last) {}

bool Snapshotter::IsDue(LogIndex index) {
  const uint64_t requests = cluster_->downgrade_requests();
  due_ = due_ || requests != std::exchange(downgrade_requests_, requests);
  const uint64_t bytes = counters_->log_bytes.load(std::memory_order_relaxed);
  return due_ || index - last_ > snapshot_count_ ||
         (snapshot_bytes_ > 0 && bytes - last_bytes_ > snapshot_bytes_);
}

void Snapshotter::Installed(LogIndex index) {
  last_ = index;
  last_bytes_ = counters_->log_bytes.load(std::memory_order_relaxed);
}

void Snapshotter::Applied(LogIndex index, Term term) {
  if (!IsDue(index)) return;
  {
    const std::lock_guard lock(mutex_);
    if (busy_ || stopped_) return;
    busy_ = true;
  }
  due_ = false;
  Installed(index);
  Take({index, term, cluster_->membership(), cluster_->conf_state()});
}

void Snapshotter::Take(Point point) {
  auto shared = std::make_shared<const Point>(std::move(point));
  // The store holds at least the point's entries now, so a flush does too.
  store_->Flush([this, shared](const Status& flushed) {
    Status status = flushed;
    if (status.ok()) status = WriteFile(*shared);
    if (status.ok()) {
      status = RemoveOutrun(world_.env, directory_, shared->index);
    }
    if (status.ok()) {
      world_.loop->Post([this, shared] { Record(shared); });
      return;
    }
    world_.logger->Warn("could not take a raft snapshot",
                        {{"index", shared->index.value()}, {"error", status}});
    Done();
  });
}

Status Snapshotter::WriteFile(const Point& point) {
  const Time began = world_.loop->Now();
  RETURN_IF_ERROR(
      WriteSnapFile(world_.env, directory_,
                    {.index = point.index,
                     .term = point.term,
                     .conf_state = point.conf_state,
                     .data = EncodeV2Store(point.membership, point.index)}));
  counters_->snap_save.AddSeconds(world_.loop->Now() - began);
  return Status::Ok();
}

void Snapshotter::Record(const std::shared_ptr<const Point>& point) {
  const uint64_t index = point->index.value();
  const LogIndex release(index > catch_up_entries_ ? index - catch_up_entries_
                                                   : 0);
  WalSnapshot record{.index = point->index, .term = point->term};
  if (level_.StoresConfState()) record.conf_state = point->conf_state;
  replicator_->SnapshotTaken(record, release, [this, index](Status status) {
    if (status.ok()) {
      status = RemoveOldSnapFiles(world_.env, directory_, max_snapshots_);
    }
    if (status.ok()) {
      world_.logger->Info("took a raft snapshot", {{"index", index}});
    } else {
      world_.logger->Warn("could not record a raft snapshot",
                          {{"index", index}, {"error", status}});
    }
    Done();
  });
}

void Snapshotter::Done() {
  const std::lock_guard lock(mutex_);
  busy_ = false;
  idle_.notify_all();
}

void Snapshotter::Stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  idle_.wait(lock, [this] { return !busy_; });
}

}  // namespace strata
