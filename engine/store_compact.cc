#include <algorithm>
#include <mutex>
#include <shared_mutex>

#include "engine/errors.h"
#include "engine/meta.h"
#include "engine/store_impl.h"

// A compaction in steps. At once: the watermark, which refuses reads before it
// and goes into the backend with the entry that asked for it. Then, as work and
// once nobody holds the changes before it any more (Store::HoldChanges), in
// stages of so many revisions that memory stays bounded: the index forgets,
// some keys at a time; once the watermark is in the backend, what was forgotten
// is erased from the key table, a batch at a time. The last batch says that it
// is finished. After a crash all but the watermark starts over, with what is
// left.
//
//   revisions  1 ........ 300k ........ 600k .. at
//              [ stage 1 ][  stage 2   ][ stage 3 ]
//
// One change makes at most two others useless, one before it and, if it is a
// tombstone, itself: so a stage removes at most twice its changes.
namespace strata {

namespace {

// Keys of the index in one step: some 50 microseconds with the lock held alone.
// Without a pause behind it who waits for the lock would find it taken again.
constexpr size_t kIndexStepKeys = 256;
constexpr Duration kIndexPause = std::chrono::microseconds(100);
// A change beside the one before costs less: so many count as one at most.
constexpr uint64_t kSideBySide = 10;
// Between steps, at least: half as long as the step took, so that the disk is
// free for the log a third of the time.
constexpr Duration kStepPause = std::chrono::milliseconds(1);

}  // namespace

Status StoreImpl::Compact(Revision revision, std::function<void()> done) {
  if (revision <= compact_revision()) return errors::Compacted();
  if (revision > this->revision()) return errors::FutureRevision();
  PutRecord(Table::kMeta, meta::kScheduledCompact,
            RevisionKey({revision, 0}, /*tombstone=*/false).view());
  {
    std::lock_guard<RwLock> lock(mutex_);
    compact_revision_ = revision;
  }
  StartCompaction(revision, run_->sequence(), std::move(done));
  return Status::Ok();
}

// One that waits is taken over: what it would free, this one frees too.
void StoreImpl::StartCompaction(Revision revision, uint64_t sequence,
                                Callback done) {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  if (compactions_.size() < 2) compactions_.emplace_back();
  Compaction& job = compactions_.back();
  job.at = revision;
  job.sequence = sequence;
  if (done != nullptr) job.done.push_back(std::move(done));
  PostCompactStep();
}

// REQUIRES: tail_mutex_
void StoreImpl::PostCompactStep(Duration delay) {
  if (compact_posted_ || compactions_.empty()) return;
  compact_posted_ = true;
  Post(&StoreImpl::CompactStep, delay);
}

// Only work takes jobs off the front, and what is added behind it leaves it
// where it is.
void StoreImpl::CompactStep() {
  Compaction* job;
  {
    std::lock_guard<std::mutex> lock(tail_mutex_);
    compact_posted_ = false;
    if (!broken_.ok() || compactions_.empty()) return;
    job = &compactions_.front();
    if (Held(*job)) return PostCompactStep(kStepPause);
  }
  Duration pause = kIndexPause;
  const Time began = options_.flusher->Now();
  if (!job->began) job->began = began;
  if (job->stage == Revision(0)) BeginStage(job);
  const bool in_index = !job->index_done;
  const bool through = CompactIndex(job);
  const Time walked = options_.flusher->Now();
  if (in_index) {
    counters_.compaction_index_pause_ms.AddMilliseconds(walked - began);
  }
  if (through) {
    if (!WatermarkFlushed(*job)) return;  // the flush goes on with it
    const Status status = EraseBatch(job);
    const Duration took = options_.flusher->Now() - walked;
    counters_.compaction_pause_ms.AddMilliseconds(took);
    if (!status.ok() && !Survives(status)) return;
    pause = status.ok() ? std::max(kStepPause, took / 2) : NextRetry();
    if (status.ok() && EndStage(job)) FinishCompaction(job);
  }
  std::lock_guard<std::mutex> lock(tail_mutex_);
  PostCompactStep(pause);
}

void StoreImpl::BeginStage(Compaction* job) {
  uint64_t keys;
  {
    std::shared_lock<RwLock> lock(mutex_);
    keys = index_.size();
  }
  // Each stage walks the whole index, so it must be worth it.
  const auto span =
      static_cast<int64_t>(std::max(options_.compaction_stage, keys / 2));
  // No short one at the end.
  job->stage = job->at - swept_ <= span + span / 2 ? job->at : swept_ + span;
}

// True at the end of the last one.
bool StoreImpl::EndStage(Compaction* job) {
  if (job->erased < job->removed.size()) return false;
  logger_->Debug("a stage of a compaction is done",
                 {{"revision", job->stage.value()},
                  {"of", job->at.value()},
                  {"removed", uint64_t{job->removed.size()}}});
  swept_ = job->stage;
  job->stage = Revision(0);
  job->resume.clear();
  job->index_done = false;
  job->removed = {};
  job->erased = 0;
  return swept_ == job->at;
}

void StoreImpl::FinishCompaction(Compaction* job) {
  logger_->Debug("finished a compaction", {{"revision", job->at.value()}});
  counters_.compaction_ms.AddMilliseconds(options_.flusher->Now() -
                                          *job->began);
  counters_.last_compaction_wall.store(options_.flusher->WallNow(),
                                       std::memory_order_relaxed);
  for (Callback& done : job->done) finished_.push_back(std::move(done));
  std::lock_guard<std::mutex> lock(tail_mutex_);
  compactions_.pop_front();
  MaybeShrink();
}

// One step; true once the index is through.
bool StoreImpl::CompactIndex(Compaction* job) {
  if (job->index_done) return true;
  const bool keep =
      job->stage == job->at && options_.level.KeepsTombstoneAtCompaction();
  {
    std::lock_guard<RwLock> lock(mutex_);
    job->index_done = index_.CompactStep(job->stage, keep, kIndexStepKeys,
                                         &job->resume, &job->removed);
  }
  if (!job->index_done) return false;
  std::erase_if(orphans_, [job](const RemovedChange& orphan) {
    if (orphan.main > job->stage) return false;
    job->removed.push_back(orphan);
    return true;
  });
  std::sort(job->removed.begin(), job->removed.end());
  return true;
}

// Whether the runs up to the one that has the watermark, and so all that is to
// be erased, are in the backend. If not, has them written.
bool StoreImpl::WatermarkFlushed(const Compaction& job) {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  if (flushed_sequence_ >= job.sequence) return true;
  freeze_wanted_ = true;
  MaybeFreeze();
  return false;
}

// A batch has so many places in the key table; what follows each other there is
// dropped by whole leaves, at the price of a few.
size_t StoreImpl::EndOfBatch(const Compaction& job) const {
  const std::vector<RemovedChange>& removed = job.removed;
  size_t end = job.erased;
  const size_t last = std::min<size_t>(
      removed.size(), end + options_.compaction_batch * kSideBySide);
  for (uint64_t places = 0; end < last; ++end) {
    const bool follows =
        end > job.erased && removed[end].main - removed[end - 1].main <= 1;
    if (!follows && ++places > options_.compaction_batch) break;
  }
  return end;
}

Status StoreImpl::EraseBatch(Compaction* job) {
  const size_t end = EndOfBatch(*job);
  Batch batch;
  for (size_t i = job->erased; i < end; ++i) {
    const RemovedChange& change = job->removed[i];
    batch.Erase(Table::kKey, RevisionKey(change.id(), change.tombstone).view());
  }
  if (end == job->removed.size() && job->stage == job->at) {
    batch.Put(Table::kMeta, meta::kFinishedCompact,
              RevisionKey({job->at, 0}, /*tombstone=*/false).view());
  }
  if (!batch.empty()) {
    RETURN_IF_ERROR(backend_->Write(batch));
    RETURN_IF_ERROR(SwapView(/*drop_frozen=*/false));
  }
  retry_delay_ = Duration::zero();
  Bump(&counters_.removed_changes, end - job->erased);
  job->erased = end;
  return Status::Ok();
}

}  // namespace strata
