#include <algorithm>

#include "engine/errors.h"
#include "engine/meta.h"
#include "engine/store_impl.h"

// A compaction in steps. At once: the watermark, which refuses reads before it
// and goes into the backend with the entry that asked for it. Then, as work:
// the index forgets, some keys at a time; once the watermark is in the backend,
// what was forgotten is erased from the key table, a batch at a time; the last
// batch says that it is finished. After a crash all but the watermark starts
// over.
namespace strata {

namespace {

// Keys of the index in one step: some 50 microseconds with the lock held alone.
constexpr size_t kIndexStepKeys = 256;
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

void StoreImpl::StartCompaction(Revision revision, uint64_t sequence,
                                Callback done) {
  std::lock_guard<std::mutex> lock(tail_mutex_);
  Compaction& job = compactions_.emplace_back();
  job.at = revision;
  job.sequence = sequence;
  job.done = std::move(done);
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
  }
  Duration pause = Duration::zero();
  if (CompactIndex(job)) {
    if (!WatermarkFlushed(*job)) return;  // the flush goes on with it
    const Status status = EraseBatch(job);
    if (!status.ok() && !Survives(status)) return;
    pause = status.ok() ? kStepPause : NextRetry();
    if (job->finished) FinishCompaction(job);
  }
  std::lock_guard<std::mutex> lock(tail_mutex_);
  PostCompactStep(pause);
}

void StoreImpl::FinishCompaction(Compaction* job) {
  logger_->Debug("finished a compaction",
                 {{"revision", job->at.value()},
                  {"removed", uint64_t{job->removed.size()}}});
  if (job->done != nullptr) finished_.push_back(std::move(job->done));
  std::lock_guard<std::mutex> lock(tail_mutex_);
  compactions_.pop_front();
}

// One step; true once the index is through.
bool StoreImpl::CompactIndex(Compaction* job) {
  if (job->index_done) return true;
  {
    std::lock_guard<RwLock> lock(mutex_);
    job->index_done =
        index_.CompactStep(job->at, options_.level.KeepsTombstoneAtCompaction(),
                           kIndexStepKeys, &job->resume, &job->removed);
  }
  if (!job->index_done) return false;
  std::erase_if(orphans_, [job](const RemovedChange& orphan) {
    if (orphan.id.main > job->at) return false;
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

Status StoreImpl::EraseBatch(Compaction* job) {
  const size_t end =
      std::min(job->erased + limits::kCompactionBatch, job->removed.size());
  Batch batch;
  for (size_t i = job->erased; i < end; ++i) {
    const RemovedChange& change = job->removed[i];
    batch.Erase(Table::kKey, RevisionKey(change.id, change.tombstone).view());
  }
  if (end == job->removed.size()) {
    batch.Put(Table::kMeta, meta::kFinishedCompact,
              RevisionKey({job->at, 0}, /*tombstone=*/false).view());
  }
  RETURN_IF_ERROR(backend_->Write(batch));
  RETURN_IF_ERROR(SwapView(/*drop_frozen=*/false));
  retry_delay_ = Duration::zero();
  job->erased = end;
  job->finished = end == job->removed.size();
  return Status::Ok();
}

}  // namespace strata
