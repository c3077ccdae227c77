#include <algorithm>

#include "engine/store_impl.h"

// The backend's checksums, checked at a steady pace: so much is read at once as
// some ten steps in a second need, so that a step holds up no flush.
namespace strata {

namespace {

constexpr uint64_t kStepsPerSecond = 10;
constexpr uint64_t kStepBytesMax = 1 << 20;
// A file may be damaged all over.
constexpr uint64_t kFaultsLogged = 100;

uint64_t StepBytes(const ScrubOptions& options) {
  return std::clamp<uint64_t>(options.bytes_per_second / kStepsPerSecond, 1,
                              kStepBytesMax);
}

}  // namespace

void StoreImpl::StartScrub() {
  if (options_.scrub.bytes_per_second == 0) return;
  Post(&StoreImpl::ScrubStep, ScrubTime(StepBytes(options_.scrub)));
}

void StoreImpl::ScrubStep() {
  auto progress = backend_->ScrubStep(
      StepBytes(options_.scrub), [this](const std::string& fault) {
        scrub_faults_.fetch_add(1, std::memory_order_relaxed);
        if (pass_faults_++ >= kFaultsLogged) return;
        logger_->Error("the backend is damaged", {{"fault", fault}});
      });
  if (!progress.ok()) {
    logger_->Warn("cannot scrub the backend", {{"error", progress.status()}});
    Post(&StoreImpl::ScrubStep, options_.scrub.pause);
    return;
  }
  scrub_bytes_.fetch_add(progress->checked_bytes, std::memory_order_relaxed);
  if (!progress->finished) {
    Post(&StoreImpl::ScrubStep, ScrubTime(progress->checked_bytes));
    return;
  }
  scrub_passes_.fetch_add(1, std::memory_order_relaxed);
  logger_->Debug("scrubbed the backend", {{"faults", pass_faults_}});
  pass_faults_ = 0;
  Post(&StoreImpl::ScrubStep, options_.scrub.pause);
}

// How long so much may take.
Duration StoreImpl::ScrubTime(uint64_t bytes) const {
  const double seconds = static_cast<double>(bytes) /
                         static_cast<double>(options_.scrub.bytes_per_second);
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(seconds));
}

ScrubStats StoreImpl::scrub_stats() const {
  return {.passes = scrub_passes_.load(std::memory_order_relaxed),
          .bytes = scrub_bytes_.load(std::memory_order_relaxed),
          .faults = scrub_faults_.load(std::memory_order_relaxed)};
}

}  // namespace strata
