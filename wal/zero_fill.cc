#include "wal/zero_fill.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace strata::wal {
namespace {

// Small enough that a sync of it does not hold up a batch's for long.
constexpr uint64_t kPieceBytes = uint64_t{256} << 10;
constexpr uint64_t kBlockBytes = 4096;
// What a busy log writes in about a second, and how much slower it is done
// beyond.
constexpr uint64_t kSoonBytes = uint64_t{8} << 20;
constexpr int kSlowdown = 8;

Duration PauseFor(uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return Duration(0);
  return Duration(kPieceBytes * 1'000'000'000 / bytes_per_second);
}

uint64_t RoundUp(uint64_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

}  // namespace

ZeroFill::ZeroFill(std::unique_ptr<File> file, uint64_t begin, uint64_t end,
                   Loop* loop, uint64_t bytes_per_second)
    : end_(end),
      loop_(loop),
      pause_(PauseFor(bytes_per_second)),
      zeros_(std::min(kPieceBytes, end), '\0'),
      file_(std::move(file)),
      next_(RoundUp(begin)),
      claimed_(begin) {}

void ZeroFill::Start() {
  loop_->Post([self = shared_from_this()] { self->Step(); });
}

void ZeroFill::Claim(uint64_t end) {
  std::lock_guard<std::mutex> lock(claim_mutex_);
  next_ = std::max(next_, RoundUp(end));
  claimed_ = std::max(claimed_, end);
}

void ZeroFill::Stop() {
  std::lock_guard<std::mutex> lock(step_mutex_);
  file_.reset();
}

Status ZeroFill::status() {
  std::lock_guard<std::mutex> lock(claim_mutex_);
  return status_;
}

void ZeroFill::Step() {
  {
    std::lock_guard<std::mutex> lock(step_mutex_);
    if (file_ == nullptr || !WritePiece()) return;
    if (Status synced = file_->Sync(); !synced.ok()) {
      std::lock_guard<std::mutex> claim(claim_mutex_);
      status_ = synced;
      return;
    }
  }
  loop_->After(Pause(), [self = shared_from_this()] { self->Step(); });
}

Duration ZeroFill::Pause() {
  std::lock_guard<std::mutex> lock(claim_mutex_);
  return next_ - claimed_ < kSoonBytes ? pause_ : kSlowdown * pause_;
}

// Under the claim's lock, so that no record is written there meanwhile.
bool ZeroFill::WritePiece() {
  std::lock_guard<std::mutex> lock(claim_mutex_);
  if (next_ >= end_ || !status_.ok()) return false;
  const uint64_t bytes = std::min<uint64_t>(zeros_.size(), end_ - next_);
  status_ = file_->WriteAt(next_, std::string_view(zeros_).substr(0, bytes));
  next_ += bytes;
  return status_.ok();
}

}  // namespace strata::wal
