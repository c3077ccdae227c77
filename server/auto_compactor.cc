#include "server/auto_compactor.h"

#include <algorithm>
#include <utility>

#include "engine/errors.h"

namespace strata {
namespace {

constexpr Duration kRevisionStep = std::chrono::minutes(5);
constexpr Duration kLongestInterval = std::chrono::hours(1);
constexpr int kNotesInInterval = 10;

}  // namespace

AutoCompactor::AutoCompactor(const AutoCompaction& keep, Loop* loop,
                             Store store, Logger* logger)
    : keep_(keep),
      loop_(loop),
      store_(std::move(store)),
      logger_(logger),
      anchor_(std::make_shared<Anchor>()) {
  anchor_->compactor = this;
}

AutoCompactor::~AutoCompactor() {
  const std::lock_guard anchored(anchor_->mutex);
  anchor_->compactor = nullptr;
}

void AutoCompactor::Start() {
  if (!keep_.enabled()) return;
  last_success_ = loop_->Now();
  wait_ = keep_.period;
  notes_.push_back(store_.revision());
  Schedule();
}

Duration AutoCompactor::Step() const {
  if (keep_.revisions > 0) return kRevisionStep;
  return std::min(keep_.period, kLongestInterval) / kNotesInInterval;
}

void AutoCompactor::Schedule() {
  loop_->After(Step(), [anchor = anchor_] {
    const std::lock_guard anchored(anchor->mutex);
    if (anchor->compactor != nullptr) anchor->compactor->Look();
  });
}

void AutoCompactor::Look() {
  if (keep_.revisions > 0) {
    const Revision revision = store_.revision() - keep_.revisions;
    if (revision > Revision(0) && revision != last_) Compact(revision);
  } else {
    LookAtNotes();
  }
  Schedule();
}

void AutoCompactor::LookAtNotes() {
  const Revision oldest = notes_.front();
  if (loop_->Now() - last_success_ >= wait_ && oldest != last_) {
    wait_ = std::min(keep_.period, kLongestInterval);
    Compact(oldest);
  }
  notes_.push_back(store_.revision());
  const auto most = static_cast<size_t>(keep_.period / Step()) + 1;
  if (notes_.size() > most) notes_.pop_front();
}

void AutoCompactor::Compact(Revision revision) {
  logger_->Info("starting auto compaction", {{"revision", revision.value()}});
  store_.compact(revision, [this, revision](const Status& status) {
    if (!status.ok() && status != errors::Compacted()) {
      logger_->Warn("failed auto compaction; trying again",
                    {{"revision", revision.value()}, {"error", status}});
      return;
    }
    last_success_ = loop_->Now();
    last_ = revision;
    logger_->Info("finished auto compaction", {{"revision", revision.value()}});
  });
}

}  // namespace strata
